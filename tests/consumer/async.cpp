#include <leat/async_producer.hpp>
#include <leat/leat.hpp>
#include <leat/subscriber.hpp>

#include <concurrentqueue.h>

int main() {
  const auto topic = leat::store::in_process().topic<int>("t");
  leat::async_producer out{topic};
  return out.send(1).get()->offset == 0 ? 0 : 1;
}
