// A block device of a test's own.
#pragma once

#include <fulmar/base/unique_fd.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <string>

namespace fulmar::test {

/// A loop device on a file; without a path where the kernel or our rights do not allow one.
struct loop_device {
    explicit loop_device(const std::string& backing, unsigned long block_bytes = 512) {
        const unique_fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
        if (!control) return;
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0) return;
        const std::string name = fmt::format("/dev/loop{}", number);
        fd.reset(::open(name.c_str(), O_RDWR | O_CLOEXEC));
        const unique_fd file(::open(backing.c_str(), O_RDWR | O_CLOEXEC));
        if (!fd || !file || ::ioctl(fd.get(), LOOP_SET_FD, file.get()) != 0) return;
        if (::ioctl(fd.get(), LOOP_SET_BLOCK_SIZE, block_bytes) != 0) {
            ::ioctl(fd.get(), LOOP_CLR_FD);
            return;
        }
        path = name;
    }
    ~loop_device() {
        if (!path.empty()) ::ioctl(fd.get(), LOOP_CLR_FD);
    }
    unique_fd fd;
    std::string path;
};

}  // namespace fulmar::test
