#include <leat/leat.hpp>

#include <iostream>

int main() { std::cout << leat::version << '\n'; }
