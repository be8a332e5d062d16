#include "storage_server.hpp"

#include "support/eventually.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace fulmar::cluster {

namespace {

bool somebody_listens(const std::string& socket) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, socket.c_str(), sizeof at.sun_path - 1);
    const bool yes = ::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
    ::close(fd);
    return yes;
}

}  // namespace

std::string path_of(const std::string& program) {
    for (const char* folder : {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/"})
        if (::access((folder + program).c_str(), X_OK) == 0) return folder + program;
    return {};
}

bool storage_server::start(const std::vector<std::string>& arguments, const std::string& socket,
                           const std::string& log) {
    kill();
    ::unlink(socket.c_str());
    std::vector<std::string> copy = arguments;
    copy[0] = path_of(copy[0]);
    std::vector<char*> argv;
    for (std::string& one : copy) argv.push_back(one.data());
    argv.push_back(nullptr);
    const int output = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    child_ = ::fork();
    if (child_ == 0) {
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(output);
    // A look that connects would be qemu-nbd's only client: it waits for the socket's name alone.
    if (arguments[0] == "qemu-nbd")
        return test::eventually([&] { return ::access(socket.c_str(), F_OK) == 0; });
    return test::eventually([&] { return somebody_listens(socket); });
}

void storage_server::kill() {
    if (child_ < 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
}

void storage_server::signal(int number) const { ::kill(child_, number); }

}  // namespace fulmar::cluster
