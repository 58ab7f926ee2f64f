// Several processes in one test: children that run a lambda, can be killed, stopped and stepped, and report what went wrong.
//
//     leat_tests::shared<counters> page;                       // memory that parent and children have in common
//     leat_tests::child producer([&] { ...; ++page->sent; });  // opens its own store: handles do not survive a fork
//     leat_tests::wait_until("it sent", [&] { return page->sent > 0; });
//     producer.kill();
//
// A child dies with its parent, and after `lifetime` at the latest. What it throws is thrown again by join() and kill() in
// the parent. Children use expect() instead of the macros of Catch2. Fork before starting threads.
#pragma once

#include "support/catch.hpp"
#include "support/end_child.hpp"
#include "support/temporary_store.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace leat_tests {

// How much slower than an optimised program this one is: tests do fewer rounds then.
#if defined(__SANITIZE_THREAD__)
inline constexpr unsigned slowdown = 12;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr unsigned slowdown = 4;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr unsigned slowdown = 12;
#elif __has_feature(address_sanitizer)
inline constexpr unsigned slowdown = 4;
#else
inline constexpr unsigned slowdown = 1;
#endif
#elif !defined(__OPTIMIZE__)
inline constexpr unsigned slowdown = 2;
#else
inline constexpr unsigned slowdown = 1;
#endif

/// `n` rounds, fewer where the program is slow.
constexpr unsigned rounds(unsigned n) { return n / slowdown + 1; }

// --- what children say ------------------------------------------------------------------------------------------------

[[noreturn]] inline void fail(const std::string& what) { throw std::runtime_error(what); }

inline void expect(bool condition, const char* what) {
  if (!condition) [[unlikely]]
    fail(what);
}
template <class Explain>
  requires std::invocable<Explain>
void expect(bool condition, Explain&& explain) {
  if (!condition) [[unlikely]]
    fail(explain());
}

// --- randomness that can be repeated ----------------------------------------------------------------------------------

/// LEAT_SEED, or a fresh one; printed, so that a failure can be replayed.
inline std::uint64_t seed() {
  static const std::uint64_t value = [] {
    const char* const given = std::getenv("LEAT_SEED");
    const std::uint64_t s = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
    std::fprintf(stderr, "LEAT_SEED=%llu\n", static_cast<unsigned long long>(s));
    return s;
  }();
  return value;
}

/// Random numbers of one participant of a test.
class dice {
 public:
  explicit dice(std::uint64_t participant) : engine_(seed() * 0x9e3779b97f4a7c15 + participant) {}

  /// 0 to `below` - 1.
  std::uint64_t roll(std::uint64_t below) { return engine_() % below; }
  bool one_in(std::uint64_t n) { return roll(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

/// Lets the processor count to `n`: a moment that no clock's grain rounds.
inline void spin(std::uint64_t n) {
  for (std::uint64_t i = 0; i < n; ++i) asm volatile("" ::: "memory");
}

// --- waiting for the thing itself -------------------------------------------------------------------------------------

inline constexpr std::chrono::seconds patience{60};

/// Throws after a minute, which is a failure whatever the machine does.
template <class Condition>
void wait_until(const char* what, Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (unsigned looks = 1; !condition(); ++looks) {
    if (looks % 64 != 0) {
      std::this_thread::yield();
      continue;
    }
    if (std::chrono::steady_clock::now() > deadline) fail(std::string("waited in vain until ") + what);
    std::this_thread::sleep_for(std::chrono::microseconds(50));  // gives the core to those who are waited for
  }
}

/// Ends the whole program when a test case hangs: the children die with it, and the janitors remove their stores.
class watchdog {
 public:
  explicit watchdog(unsigned seconds = 180) {
    ::signal(SIGALRM, [](int) {
      constexpr char message[] = "\nthe watchdog ended this test: it hangs\n";
      (void)!::write(STDERR_FILENO, message, sizeof message - 1);
      ::_exit(97);
    });
    ::alarm(seconds);
  }
  ~watchdog() { ::alarm(0); }
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
};

// --- memory and files in common ---------------------------------------------------------------------------------------

/// A T in memory that this process and the children forked later share. Zero at first.
template <class T>
class shared {
 public:
  shared() : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    value_ = ::new (memory_) T();
  }
  ~shared() {
    value_->~T();
    ::munmap(memory_, sizeof(T));
  }
  shared(const shared&) = delete;
  shared& operator=(const shared&) = delete;

  T* operator->() const noexcept { return value_; }
  T& operator*() const noexcept { return *value_; }

 private:
  void* memory_;
  T* value_;
};

using counter = std::atomic<std::uint64_t>;
static_assert(counter::is_always_lock_free);

/// A process that removes a directory should the test die before it does so itself.
class janitor {
 public:
  explicit janitor(const std::string& directory) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[1]);
      for (const int inherited : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(inherited);
      for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGALRM}) ::signal(s, SIG_IGN);
      char told = 0;
      if (::read(ends[0], &told, 1) == 0) {  // the other end is closed: everybody is dead
        std::error_code ignored;
        std::filesystem::remove_all(directory, ignored);
      }
      ::_exit(0);
    }
    ::close(ends[0]);
    tell_ = ends[1];
    maker_ = ::getpid();
  }
  ~janitor() {
    if (maker_ != ::getpid()) return;
    (void)!::write(tell_, "x", 1);
    ::close(tell_);
    ::waitpid(pid_, nullptr, 0);
  }
  janitor(const janitor&) = delete;
  janitor& operator=(const janitor&) = delete;

 private:
  pid_t pid_ = -1;
  pid_t maker_ = -1;
  int tell_ = -1;
};

/// A fresh place in shared memory, removed whatever becomes of the test.
class shared_place {
 public:
  shared_place() : directory_("/dev/shm"), janitor_(directory_.path()) {}

  /// What leat::store::open() takes.
  std::string store(const std::string& name = "store") const { return directory_.path() + "/" + name; }
  const std::string& path() const noexcept { return directory_.path(); }

 private:
  temporary_directory directory_;
  janitor janitor_;
};

// --- children ---------------------------------------------------------------------------------------------------------

class child {
 public:
  static constexpr unsigned lifetime = 150;  // seconds

  template <class Body>
  explicit child(Body&& body) {
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    for (const int s : {SIGALRM, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) ::signal(s, SIG_DFL);
    ::alarm(lifetime);
    int code = 1;
    try {
      body();
      code = 0;
    } catch (const std::exception& e) {
      say(e.what());
    } catch (...) {
      say("an exception of unknown type");
    }
    end_child(code);
  }
  child(child&& other) noexcept : report_(std::move(other.report_)), pid_(std::exchange(other.pid_, -1)) {}
  child& operator=(child&& other) noexcept {
    std::swap(report_, other.report_);
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const noexcept { return pid_; }

  /// Waits for its end. Throws what it threw, and when it was killed.
  void join() {
    if (pid_ <= 0) return;
    const int status = reap();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    raise(status);
  }

  /// SIGKILL, and waits for the end. Throws if it had failed before.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    const int status = reap();
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    raise(status);
  }

  /// SIGSTOP; returns when it stands still. False when it has ended; throws if it failed.
  bool stop() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    while (::waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
    }
    if (WIFSTOPPED(status)) return true;
    pid_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
    raise(status);
  }
  void resume() const {
    if (pid_ > 0) ::kill(pid_, SIGCONT);
  }

  /// It sleeps in the kernel: state S of /proc/<pid>/stat.
  bool asleep() const { return state() == 'S'; }

  /// Whether it still runs. Throws what it threw when it failed.
  bool running() {
    if (pid_ <= 0) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
    pid_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
    raise(status);
  }

 protected:
  struct text {
    char bytes[1000];
  };

  char state() const {
    char line[512] = {};
    if (std::FILE* const stat = std::fopen(("/proc/" + std::to_string(pid_) + "/stat").c_str(), "r")) {
      (void)!std::fread(line, 1, sizeof line - 1, stat);
      std::fclose(stat);
    }
    const char* const name_end = std::strrchr(line, ')');
    return name_end != nullptr ? name_end[2] : '?';
  }

  int reap() {
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    pollfd ended{descriptor, POLLIN, 0};
    while (::poll(&ended, 1, static_cast<int>(1000 * lifetime + 10'000)) < 0 && errno == EINTR) {
    }
    ::close(descriptor);
    if (ended.revents == 0) {
      ::kill(pid_, SIGKILL);
      say("it did not end in time");
    }
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  [[noreturn]] void raise(int status) const {
    std::string what = "child: " + std::string(report_->text().bytes);
    if (WIFSIGNALED(status)) what += " (killed by signal " + std::to_string(WTERMSIG(status)) + ")";
    fail(what);
  }

  void say(const char* what) const { std::snprintf(report_->text().bytes, sizeof(text), "%s", what); }

  struct report {
    shared<leat_tests::child::text> page;
    leat_tests::child::text& text() const { return *page; }
  };
  std::unique_ptr<report> report_ = std::make_unique<report>();
  pid_t pid_ = -1;
};

/// A child that runs between marks, in steps of an instruction or a system call.
class traced_child : public child {
 public:
  /// The child says that it has come to a mark.
  static void mark() { ::raise(SIGSTOP); }

  template <class Body>
  explicit traced_child(Body&& body)
      : child([&body] {
          ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
          mark();
          body();
        }) {
    wait_for_stop();
    if (state_ == state::at_mark) ::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  }

  enum class state { stepping, at_mark, ended };

  /// Runs to the next mark. Throws if it fails before.
  void to_mark() {
    do advance(PTRACE_CONT);
    while (state_ == state::stepping);
    if (state_ == state::ended) fail("the traced child ended before its mark");
  }
  /// One instruction, or to the next entry to or exit from a system call. Throws if it fails.
  state step() { return advance(PTRACE_SINGLESTEP); }
  state to_system_call() { return advance(PTRACE_SYSCALL); }

  struct system_call {
    std::uint64_t number;
    std::uint64_t arguments[6];
    bool entered;  // otherwise it has returned, and only `entered` is given
  };
  /// Where to_system_call() has come to.
  system_call at_system_call() const {
    __ptrace_syscall_info info{};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, pid_, reinterpret_cast<void*>(sizeof info), &info);
    system_call call{info.entry.nr, {}, info.op == PTRACE_SYSCALL_INFO_ENTRY};
    std::copy(std::begin(info.entry.args), std::end(info.entry.args), std::begin(call.arguments));
    return call;
  }

#if defined(__x86_64__)
  /// Runs until it has read or written the word at this address of its own. False where there are no data breakpoints.
  bool to_access(std::uint64_t address) {
    constexpr long four_bytes_read_or_written = 0xf0001;
    if (!set_debug_register(0, static_cast<long>(address)) || !set_debug_register(7, four_bytes_read_or_written))
      return false;
    advance(PTRACE_CONT);
    set_debug_register(7, 0);
    if (state_ != state::stepping) fail("the traced child did not touch the word");
    return true;
  }

  /// Its next instruction is this system call; or any, where none is named.
  bool is_about_to_call(std::optional<long> number = std::nullopt) const {
    user_regs_struct registers;
    ::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers);
    const long code = ::ptrace(PTRACE_PEEKTEXT, pid_, registers.rip, nullptr);
    return (code & 0xffff) == 0x050f && (!number || static_cast<long>(registers.rax) == *number);
  }
#endif

  /// From here to its end, without tracing.
  void let_go() {
    ::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr);
    join();
  }

 private:
#if defined(__x86_64__)
  bool set_debug_register(std::size_t i, long value) const {
    return ::ptrace(PTRACE_POKEUSER, pid_, offsetof(user, u_debugreg) + i * sizeof(long), value) == 0;
  }
#endif

  state advance(int request) {
    long signal = std::exchange(pending_, 0);
    ::ptrace(static_cast<decltype(PTRACE_CONT)>(request), pid_, nullptr, reinterpret_cast<void*>(signal));
    return wait_for_stop();
  }

  state wait_for_stop() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFSTOPPED(status)) {
      pid_ = -1;
      state_ = state::ended;
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) raise(status);
      return state_;
    }
    const int signal = WSTOPSIG(status);
    if (signal == SIGSTOP) return state_ = state::at_mark;
    if (signal != SIGTRAP && signal != (SIGTRAP | 0x80)) pending_ = signal;  // its own: delivered with the next step
    return state_ = state::stepping;
  }

  state state_ = state::stepping;
  long pending_ = 0;
};

}  // namespace leat_tests
