// Children are started by fork and exec, waited for with a deadline, and ended by pid.
#include "daemon.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace fulmar::e2e {

namespace {

using clock = std::chrono::steady_clock;

// ctest names the folder of the programs; by hand it is beside the tests'.
std::string program(const std::string& name) {
    if (name.starts_with('/')) return name;
    if (const char* folder = std::getenv("FULMAR_BIN_DIR")) return std::string(folder) + "/" + name;
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin" /
            name)
        .string();
}

constexpr unsigned nobody = 65534;

struct circumstances {
    std::vector<std::pair<std::string, std::string>> environment = {};
    bool unprivileged = false;
};

pid_t spawn(const std::vector<std::string>& arguments, int output, const circumstances& how = {}) {
    std::vector<char*> argv;
    std::vector<std::string> copy = arguments;
    copy[0] = program(copy[0]);
    for (std::string& a : copy) argv.push_back(a.data());
    argv.push_back(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
        for (const auto& [name, value] : how.environment) setenv(name.c_str(), value.c_str(), 1);
        if (how.unprivileged && geteuid() == 0 &&
            (setgroups(0, nullptr) != 0 || setgid(nobody) != 0 || setuid(nobody) != 0))
            _exit(126);
        execv(argv[0], argv.data());
        _exit(127);
    }
    return child;
}

int exit_code_of(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Polls for the child's end; -1 past the deadline.
int wait_for(pid_t child, clock::time_point deadline) {
    for (;;) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) return exit_code_of(status);
        if (clock::now() >= deadline) return -1;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

bool accepts(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool ok = connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
    close(fd);
    return ok;
}

}  // namespace

finished run(const std::vector<std::string>& arguments, int limit_s) {
    const test::temp_dir place;
    const std::string path = place / "output";
    const int fd = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    const pid_t child = spawn(arguments, fd);
    close(fd);
    finished f;
    f.exit_code = wait_for(child, clock::now() + std::chrono::seconds(limit_s));
    if (f.exit_code == -1) {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    f.output = text.str();
    return f;
}

std::uint16_t free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at);
    getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length);
    close(fd);
    return ntohs(at.sin_port);
}

daemon_process::daemon_process(const std::string& config)
    : folder_(directory_.path().string()), port_(free_port()) {
    write_config(config);
}

daemon_process::~daemon_process() {
    if (child_ > 0) stop(SIGKILL);
}

void daemon_process::write_config(const std::string& config) const {
    std::string text = config;
    for (std::size_t at = 0; (at = text.find("@PORT@", at)) != std::string::npos;)
        text.replace(at, 6, port_text());
    std::ofstream(config_path()) << text;
}

void daemon_process::start() {
    const int fd =
        open((folder_ + "/log").c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    std::vector<std::string> words{"fulmard", "--config", config_path()};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    child_ = spawn(words, fd, {environment_, unprivileged_});
    close(fd);
}

void daemon_process::without_privileges() {
    unprivileged_ = true;
    if (geteuid() != 0) return;
    for (const std::string& path : {folder_, config_path()})
        if (chown(path.c_str(), nobody, nobody) != 0)
            throw std::runtime_error("cannot give away " + path);
}

bool daemon_process::running() {
    if (child_ <= 0) return false;
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) != child_) return true;
    exit_code_ = exit_code_of(status);
    child_ = -1;
    return false;
}

bool daemon_process::wait_until_serving(int limit_s) {
    const auto deadline = clock::now() + std::chrono::seconds(limit_s);
    while (running() && clock::now() < deadline) {
        if (accepts(port_)) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

int daemon_process::stop(int signal, int limit_s) {
    if (!running()) return exit_code_;
    kill(child_, signal);
    const int code = wait_for(child_, clock::now() + std::chrono::seconds(limit_s));
    if (code != -1) child_ = -1;
    return code;
}

std::string daemon_process::log() const {
    std::ostringstream text;
    text << std::ifstream(folder_ + "/log").rdbuf();
    return text.str();
}

testing::AssertionResult daemon_process::says(std::string_view text, int limit_s) const {
    const auto deadline = clock::now() + std::chrono::seconds(limit_s);
    for (;;) {
        const std::string so_far = log();
        if (so_far.find(text) != std::string::npos) return testing::AssertionSuccess();
        if (clock::now() >= deadline)
            return testing::AssertionFailure() << "no \"" << text << "\" in:\n" << so_far;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

}  // namespace fulmar::e2e
