# Checks one program of this folder: with LEAT_COMPILE_FAIL defined it must not compile, and the compiler must say what
# the first line expects ("// expect: regex"); without, it must compile, so that it fails for the right reason.

file(STRINGS "${SOURCE}" first_line LIMIT_COUNT 1)
if(NOT first_line MATCHES "^// expect: (.+)$")
    message(FATAL_ERROR "${SOURCE}: the first line is not \"// expect: regex\"")
endif()
set(expected "${CMAKE_MATCH_1}")

separate_arguments(flags UNIX_COMMAND "${FLAGS}")
list(TRANSFORM INCLUDES PREPEND "-I")
set(compile "${COMPILER}" ${flags} -std=c++20 ${INCLUDES} -c "${SOURCE}" -o "${OBJECT}")
set(ENV{LC_ALL} C)

execute_process(COMMAND ${compile} RESULT_VARIABLE result ERROR_VARIABLE output)
file(REMOVE "${OBJECT}")
if(NOT result EQUAL 0)
    message(FATAL_ERROR "it does not compile even without LEAT_COMPILE_FAIL:\n${output}")
endif()

execute_process(COMMAND ${compile} -DLEAT_COMPILE_FAIL RESULT_VARIABLE result ERROR_VARIABLE output)
file(REMOVE "${OBJECT}")
if(result EQUAL 0)
    message(FATAL_ERROR "it compiles with LEAT_COMPILE_FAIL")
endif()
if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "it fails to compile, but the compiler does not say \"${expected}\":\n${output}")
endif()
