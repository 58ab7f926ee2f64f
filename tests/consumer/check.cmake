# Configures, builds and runs the consumer project against leat, as WAY says: subdirectory or installed.

file(REMOVE_RECURSE "${WORK_DIR}")

if(WAY STREQUAL "installed")
    execute_process(COMMAND "${CMAKE_COMMAND}" --install "${LEAT_BINARY_DIR}" --prefix "${WORK_DIR}/prefix"
        OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    set(leat_from "-DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix;${PREFIX_PATH}")
else()
    set(leat_from "-DLEAT_SOURCE_DIR=${LEAT_SOURCE_DIR}" "-DCMAKE_PREFIX_PATH=${PREFIX_PATH}")
endif()

# A component that there is not is named, with those that there are.
if(WAY STREQUAL "installed")
    foreach(components "COMPONENTS asnyc" "OPTIONAL_COMPONENTS asnyc")
        file(WRITE "${WORK_DIR}/misspelt/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)
            project(misspelt LANGUAGES CXX)
            find_package(leat 0.1 REQUIRED ${components})")
        execute_process(
            COMMAND "${CMAKE_COMMAND}" -S "${WORK_DIR}/misspelt" -B "${WORK_DIR}/misspelt/build" -G "${GENERATOR}"
                "-DCMAKE_CXX_COMPILER=${COMPILER}" ${leat_from}
            RESULT_VARIABLE result ERROR_VARIABLE said OUTPUT_QUIET)
        string(REGEX REPLACE "[ \n]+" " " said "${said}")
        if(NOT said MATCHES "leat has no component \"asnyc\", only async and kafka")
            message(FATAL_ERROR "find_package with ${components} did not say which components there are:\n${said}")
        endif()
        if((components MATCHES "^OPTIONAL" AND NOT result EQUAL 0) OR (components MATCHES "^COMP" AND result EQUAL 0))
            message(FATAL_ERROR "find_package with ${components} ended with ${result}:\n${said}")
        endif()
    endforeach()
endif()

execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK_DIR}/build" -G "${GENERATOR}"
        "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}" "-DLEAT_KAFKA=${KAFKA}" ${leat_from}
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK_DIR}/build" COMMAND_ERROR_IS_FATAL ANY)

# Tests, examples and install rules of leat belong to leat, not to the project that contains it.
foreach(own leat/tests leat/examples leat/bench leat/leatConfig.cmake)
    if(EXISTS "${WORK_DIR}/build/${own}")
        message(FATAL_ERROR "the consumer's build contains ${own}")
    endif()
endforeach()

execute_process(COMMAND "${WORK_DIR}/build/consumer" OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${WORK_DIR}/build/async_consumer" COMMAND_ERROR_IS_FATAL ANY)
if(KAFKA)
    execute_process(COMMAND "${WORK_DIR}/build/kafka_consumer" COMMAND_ERROR_IS_FATAL ANY)
endif()
if(NOT output MATCHES "^${LEAT_VERSION}\n")
    message(FATAL_ERROR "the consumer printed \"${output}\" instead of the version ${LEAT_VERSION}")
endif()
