# Checks which header of moodycamel's include/leat/async/concurrent_queue.hpp finds, with fake trees, one for each way in which
# they are installed; what it says where there is none; and that leat.hpp needs none of them.

file(REMOVE_RECURSE "${WORK_DIR}")

# Only what is in the tree can be found: no include path of the compiler's own. So it can be preprocessed, not compiled.
function(preprocess tree result output)
    execute_process(
        COMMAND "${COMPILER}" -std=c++20 -E -nostdinc -I "${LEAT_SOURCE_DIR}/include" -I "${tree}"
            -x c++ "${LEAT_SOURCE_DIR}/include/leat/async/concurrent_queue.hpp"
        RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
    set(${result} "${code}" PARENT_SCOPE)
    set(${output} "${text}" PARENT_SCOPE)
endfunction()

foreach(folder . concurrentqueue concurrentqueue/moodycamel moodycamel)
    set(tree "${WORK_DIR}/tree")
    file(REMOVE_RECURSE "${tree}")
    file(WRITE "${tree}/${folder}/concurrentqueue.h" "the queue itself\n")
    file(WRITE "${tree}/${folder}/lightweightsemaphore.h" "the semaphore itself\n")
    preprocess("${tree}" code text)
    if(NOT code EQUAL 0 OR NOT text MATCHES "the queue itself" OR NOT text MATCHES "the semaphore itself")
        message(FATAL_ERROR "not found in ${folder}: ${text}")
    endif()
endforeach()

file(MAKE_DIRECTORY "${WORK_DIR}/nothing")
preprocess("${WORK_DIR}/nothing" code text)
if(code EQUAL 0 OR NOT text MATCHES "libconcurrentqueue-dev")
    message(FATAL_ERROR "where there is no queue, it does not say what is missing: ${text}")
endif()

file(WRITE "${WORK_DIR}/all.cpp" "#include <leat/leat.hpp>\n")
execute_process(
    COMMAND "${COMPILER}" -std=c++20 -M -I "${LEAT_SOURCE_DIR}/include" "${WORK_DIR}/all.cpp"
    OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
if(text MATCHES "concurrentqueue" OR NOT text MATCHES "event_notifier")
    message(FATAL_ERROR "leat.hpp needs ConcurrentQueue")
endif()
