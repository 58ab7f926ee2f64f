# It reads standard input: here three lines, and nothing.
add_test(NAME "example ${name}" COMMAND sh -c "printf 'one\\n\\nthree' | '$<TARGET_FILE:${target}>'")
set_tests_properties("example ${name}" PROPERTIES PASS_REGULAR_EXPRESSION "^one\n\nthree\n$")
add_test(NAME "example ${name}, no input" COMMAND sh -c "exec '$<TARGET_FILE:${target}>' </dev/null")
set_tests_properties("example ${name}" "example ${name}, no input" PROPERTIES LABELS example TIMEOUT 120)
