# Finds moodycamel::ConcurrentQueue and gives the target leat::concurrentqueue,
# with which #include <concurrentqueue.h> works whichever way the header was installed:
#
#   Debian, Ubuntu   <prefix>/include/concurrentqueue/concurrentqueue.h
#   its own install  <prefix>/include/concurrentqueue/moodycamel/concurrentqueue.h
#   vcpkg            <prefix>/include/concurrentqueue/concurrentqueue.h, formerly <prefix>/include/concurrentqueue.h

# Where a package configuration exists it says where to look first. Its own target is not used: which include line
# works with it differs from one packager to the next.
set(concurrentqueue_hints)
foreach(package concurrentqueue unofficial-concurrentqueue)
    find_package(${package} CONFIG QUIET)
    foreach(target ${package}::${package} unofficial::concurrentqueue::concurrentqueue)
        if(TARGET ${target})
            get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
            if(dirs)
                list(APPEND concurrentqueue_hints ${dirs})
            endif()
        endif()
    endforeach()
endforeach()

find_path(concurrentqueue_INCLUDE_DIR concurrentqueue.h
    HINTS ${concurrentqueue_hints}
    PATH_SUFFIXES concurrentqueue/moodycamel concurrentqueue moodycamel)
mark_as_advanced(concurrentqueue_INCLUDE_DIR concurrentqueue_DIR unofficial-concurrentqueue_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(concurrentqueue REQUIRED_VARS concurrentqueue_INCLUDE_DIR)

if(concurrentqueue_FOUND AND NOT TARGET leat::concurrentqueue)
    add_library(leat::concurrentqueue INTERFACE IMPORTED)
    target_include_directories(leat::concurrentqueue SYSTEM INTERFACE "${concurrentqueue_INCLUDE_DIR}")
endif()
