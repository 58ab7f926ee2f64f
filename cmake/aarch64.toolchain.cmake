# Builds for AArch64 on another processor and runs what was built under qemu's user-mode emulation (Debian:
# g++-aarch64-linux-gnu, qemu-user). That shows that it builds, and its logic; not its orderings: qemu executes an x86-64 host's
# instructions, with that host's stronger memory model.
#
# Boost, Catch2, nlohmann-json and ConcurrentQueue are headers alone and are found where the host has them: Debian's cross
# compiler looks into /usr/include behind its own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
find_program(LEAT_QEMU NAMES qemu-aarch64 qemu-aarch64-static REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR "${LEAT_QEMU};-L;/usr/aarch64-linux-gnu")
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY NEVER)
