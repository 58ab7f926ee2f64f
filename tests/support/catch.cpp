// Compiles Catch2 once, as the precompiled header of all test programs.
#include "support/catch.hpp"
