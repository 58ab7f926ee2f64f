# Not a test by itself: what others are run beside.
target_link_libraries(${target} PRIVATE leat::kafka)
