// Sockets of the ceiling: loopback TCP, no delay, non-blocking once the run has begun.
#pragma once

#include <fulmar/base/unique_fd.hpp>

#include <cstddef>
#include <cstdint>

namespace fulmar::bench {

/// Listens on 127.0.0.1:`port` (0: any) and stores the port that was bound. Exits with a message on
/// error.
unique_fd listen_loopback(std::uint16_t& port);
/// Connects to 127.0.0.1:`port`, waiting up to two seconds for it to listen.
unique_fd connect_loopback(std::uint16_t port);
void prepare_socket(int fd, int buffer_bytes);
void set_non_blocking(int fd);
/// Blocking; false when the peer closed first.
bool read_all(int fd, void* to, std::size_t bytes);
void write_all(int fd, const void* from, std::size_t bytes);
/// Runs this thread on `cpu` only; nothing when negative.
void pin_thread(int cpu);
/// CPU time that process `pid` (0: this one) has used, in nanoseconds.
std::uint64_t process_cpu_ns(int pid);
[[noreturn]] void die(const char* what);

}  // namespace fulmar::bench
