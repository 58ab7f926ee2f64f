# Where the earthquakes are.
target_compile_definitions(${target} PRIVATE EARTHQUAKES_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
add_test(NAME "example ${name}" COMMAND ${target})
set_tests_properties("example ${name}" PROPERTIES LABELS example TIMEOUT 120)
