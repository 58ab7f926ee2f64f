# Checks cmake/Findconcurrentqueue.cmake against fake trees, one for each way in which the header is installed.

file(REMOVE_RECURSE "${WORK_DIR}")

# The project every tree is tried with: it fails unless #include <concurrentqueue.h> compiles from that tree.
file(WRITE "${WORK_DIR}/project/main.cpp" "#include <concurrentqueue.h>\nint main() { return FAKE_QUEUE; }\n")
file(WRITE "${WORK_DIR}/project/CMakeLists.txt" "
cmake_minimum_required(VERSION 3.25...3.31)
project(uses_concurrentqueue LANGUAGES CXX)
list(APPEND CMAKE_MODULE_PATH \"${LEAT_SOURCE_DIR}/cmake\")
find_package(concurrentqueue)
if(concurrentqueue_FOUND)
    add_executable(main main.cpp)
    target_link_libraries(main PRIVATE leat::concurrentqueue)
else()
    message(STATUS \"absent\")
endif()
")

# The system's own copy must not be found instead of the fake one.
function(configure name)
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -S "${WORK_DIR}/project" -B "${WORK_DIR}/${name}/build" -G "${GENERATOR}"
            "-DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF
            -DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF ${ARGN}
        OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
    set(output "${output}" PARENT_SCOPE)
endfunction()

function(check name header)
    file(WRITE "${WORK_DIR}/${name}/prefix/include/${header}" "#define FAKE_QUEUE 0\n")
    configure(${name} ${ARGN})
    if(output MATCHES "absent")
        message(FATAL_ERROR "${name}: include/${header} is not found")
    endif()
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK_DIR}/${name}/build" OUTPUT_QUIET
        COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(check_prefix name header)
    check(${name} ${header} "-DCMAKE_PREFIX_PATH=${WORK_DIR}/${name}/prefix")
endfunction()

check_prefix(debian concurrentqueue/concurrentqueue.h)
check_prefix(own_install concurrentqueue/moodycamel/concurrentqueue.h)
check_prefix(plain concurrentqueue.h)

# A package configuration alone says where the header is, here outside of any prefix that CMake searches.
foreach(package concurrentqueue unofficial-concurrentqueue)
    set(name config_${package})
    string(REPLACE "unofficial-" "unofficial::" target "${package}::concurrentqueue")
    file(WRITE "${WORK_DIR}/${name}/config/${package}Config.cmake" "
add_library(${target} INTERFACE IMPORTED)
set_target_properties(${target} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES \"${WORK_DIR}/${name}/prefix/include/concurrentqueue\")
")
    check(${name} concurrentqueue/moodycamel/concurrentqueue.h "-D${package}_DIR=${WORK_DIR}/${name}/config")
endforeach()

configure(absent)
if(NOT output MATCHES "absent")
    message(FATAL_ERROR "without the header anywhere, concurrentqueue is said to be found")
endif()
