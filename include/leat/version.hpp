#pragma once
#define LEAT_VERSION_MAJOR 0
