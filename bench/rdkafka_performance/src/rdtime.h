// See rd.h.
#pragma once

#include "rd.h"
