leat_example_on_both_engines(real-time-topic:4)
