leat_example_on_both_engines(orders:4 orders)
