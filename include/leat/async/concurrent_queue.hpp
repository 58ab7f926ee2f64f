// moodycamel's ConcurrentQueue, wherever its headers lie.
//
// Only what hands records from thread to thread needs it: async_producer.hpp and subscriber.hpp. With CMake, link
// leat::async; otherwise the places where packages put it are looked at.
#pragma once

#if __has_include(<concurrentqueue.h>) && __has_include(<lightweightsemaphore.h>)  // in the include path itself
#include <concurrentqueue.h>
#include <lightweightsemaphore.h>
#elif __has_include(<concurrentqueue/concurrentqueue.h>)  // Debian, Ubuntu, vcpkg
#include <concurrentqueue/concurrentqueue.h>
#include <concurrentqueue/lightweightsemaphore.h>
#elif __has_include(<concurrentqueue/moodycamel/concurrentqueue.h>)  // its own install
#include <concurrentqueue/moodycamel/concurrentqueue.h>
#include <concurrentqueue/moodycamel/lightweightsemaphore.h>
#elif __has_include(<moodycamel/concurrentqueue.h>)
#include <moodycamel/concurrentqueue.h>
#include <moodycamel/lightweightsemaphore.h>
#else
#error \
    "leat/async_producer.hpp and leat/subscriber.hpp need moodycamel::ConcurrentQueue (Debian: libconcurrentqueue-dev)"
#endif
