add_test(NAME "example ${name}" COMMAND ${target})
set_tests_properties("example ${name}" PROPERTIES LABELS example TIMEOUT 120)
