# The target leat_development: warnings and sanitizers for the tests, examples and benchmarks of leat itself.
# They link it privately; users of leat::leat never see it.

option(LEAT_WERROR "Warnings are errors" OFF)
set(LEAT_SANITIZE "" CACHE STRING "Sanitizers: empty, address,undefined or thread")
set_property(CACHE LEAT_SANITIZE PROPERTY STRINGS "" "address,undefined" "thread")

add_library(leat_development INTERFACE)

# Not -Wnull-dereference: with GCC 12 and optimisation it warns inside the standard library.
target_compile_options(leat_development INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    $<$<BOOL:${LEAT_WERROR}>:-Werror>)

if(LEAT_SANITIZE)
    target_compile_options(leat_development INTERFACE
        "-fsanitize=${LEAT_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer
        $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>) # GCC 12 warns of the standard library's own code then
    target_link_options(leat_development INTERFACE "-fsanitize=${LEAT_SANITIZE}")
endif()

if(LEAT_SANITIZE MATCHES "thread")
    # GCC says at each fence that ThreadSanitizer does not model fences. That is known: see docs/memory-model.md.
    target_compile_options(leat_development INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
endif()
