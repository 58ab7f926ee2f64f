# Where the flights are, and a short run as a test.
target_compile_definitions(${target} PRIVATE FLIGHT_DELAYS_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
add_test(NAME "example ${name}" COMMAND ${target} --seconds 2 --rate 50000)
set_tests_properties("example ${name}" PROPERTIES LABELS example TIMEOUT 120)
