#include "client.hpp"

#include "image.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace fulmar::backend::rbd {

namespace {

std::optional<cpu_set_t> parse_cpu_list(std::string_view text) noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    const char* at = text.data();
    const char* const end = at + text.size();
    const auto number = [&](unsigned& n) noexcept {
        const auto [next, failed] = std::from_chars(at, end, n);
        at = next;
        return failed == std::errc() && n < CPU_SETSIZE;
    };
    while (at != end) {
        unsigned first = 0, last = 0;
        if (!number(first)) return {};
        last = first;
        if (at != end && *at == '-') {
            ++at;
            if (!number(last) || last < first) return {};
        }
        for (unsigned cpu = first; cpu <= last; ++cpu) CPU_SET(cpu, &set);
        if (at == end) return set;
        if (*at++ != ',' || at == end) return {};
    }
    return set;
}

/// The clients that there are, by what makes them differ.
struct client_list {
    struct place {
        std::mutex one_connects;
        std::weak_ptr<client> there;
    };
    std::mutex lock;
    std::map<std::string, std::shared_ptr<place>> all;
};

client_list& clients() {
    static auto* const list = std::make_unique<client_list>().release();  // threads may outlive it
    return *list;
}

std::shared_ptr<client_list::place> place_for(const rbd_options& options) {
    const std::string key =
        fmt::format("{}\n{}\n{}\n{}", options.conf, options.user, options.keyring, options.cpus);
    client_list& list = clients();
    const std::lock_guard guard(list.lock);
    auto& at = list.all[key];
    if (at == nullptr) at = std::make_shared<client_list::place>();
    return at;
}

// The deadline is ours: an operation that librados gives up is not taken back, so it may land.
// Nothing may be answered out of a cache, and nothing of ours goes to other files than our log.
constexpr std::pair<const char*, const char*> client_settings[] = {
    {"rbd_cache", "false"},
    {"rados_osd_op_timeout", "0"},
    {"rados_mon_op_timeout", "10"},
    {"rbd_non_blocking_aio", "true"},
    {"rbd_disable_zero_copy_writes", "false"},  // what we write from nobody changes meanwhile
    {"rbd_skip_partial_discard", "false"},
    {"rbd_blocklist_on_break_lock", "true"},
    // The monitor's default: any other number is sent as text, which monitors of 16.2 refuse
    // (EINVAL), and then no lock can be broken.
    {"rbd_blocklist_expire_seconds", "0"},
    {"log_file", ""},
    {"log_to_stderr", "false"},
    {"err_to_stderr", "false"},
    {"log_to_syslog", "false"},
    {"admin_socket", ""},
};

}  // namespace

result<void> check_cpus(const std::string& text) {
    if (parse_cpu_list(text)) return {};
    return fail(errc::invalid_argument, fmt::format("\"{}\" is no list of CPUs", text), "/cpus",
                "such as \"2-3\" or \"0,4\"");
}

on_cpus::on_cpus(const std::string& text) noexcept {
    const auto wanted = parse_cpu_list(text);
    if (text.empty() || !wanted) return;
    changed_ = pthread_getaffinity_np(pthread_self(), sizeof before_, &before_) == 0 &&
               pthread_setaffinity_np(pthread_self(), sizeof *wanted, &*wanted) == 0;
}

on_cpus::~on_cpus() {
    if (changed_) pthread_setaffinity_np(pthread_self(), sizeof before_, &before_);
}

tl::unexpected<error> cluster_failed(int error, const std::string& what, const rbd_options& o) {
    const std::string who = "client." + o.user;
    switch (error) {
        case ETIMEDOUT:
            return fail(errc::unavailable, fmt::format("{}: the monitors do not answer", what));
        case EPERM:
        case EACCES:
            return fail(errc::permission_denied, fmt::format("{} may not: {}", who, what), "/user",
                        fmt::format("`ceph auth caps {} mon 'profile rbd' osd 'profile rbd "
                                    "pool={}'`, and its key in the keyring",
                                    who, o.pool));
        case ESHUTDOWN:
            return fail(errc::unavailable, fmt::format("{}: this client was fenced", what));
        default:
            return fail(errc::unavailable,
                        fmt::format("{}: {}", what, std::strerror(error)));  // NOLINT
    }
}

result<std::shared_ptr<client>> client::of(const rbd_options& options) {
    const auto at = place_for(options);
    const std::lock_guard guard(at->one_connects);
    if (auto there = at->there.lock(); there != nullptr && !there->fenced()) return there;
    auto made = std::make_shared<client>();
    FULMAR_CHECK(made->connect(options));
    at->there = made;
    return made;
}

client::~client() {
    if (rados_ != nullptr) rados_shutdown(rados_);
}

std::string client::address() const {
    char* text = nullptr;
    if (rados_getaddrs(rados_, &text) < 0 || text == nullptr) return {};
    std::string out = text;
    rados_buffer_free(text);
    return out;
}

std::string client::cluster() const {
    std::array<char, 64> text{};
    return rados_cluster_fsid(rados_, text.data(), text.size()) < 0 ? "" : text.data();
}

result<void> client::connect(const rbd_options& options) {
    const on_cpus here(options.cpus);
    if (const int r = rados_create2(&rados_, "ceph", ("client." + options.user).c_str(), 0);
        r < 0) {
        rados_ = nullptr;
        return cluster_failed(-r, "a client of Ceph cannot be made", options);
    }
    const std::string conf = options.conf.empty() ? "/etc/ceph/ceph.conf" : options.conf;
    if (const int r = rados_conf_read_file(rados_, conf.c_str()); r < 0)
        return fail(errc::unavailable,
                    fmt::format("{} cannot be used: {}", conf, std::strerror(-r)),  // NOLINT
                    "/conf", "name the configuration of the Ceph client");
    for (const auto& [name, value] : client_settings)
        if (const int r = rados_conf_set(rados_, name, value); r < 0)
            return fail(errc::internal, fmt::format("librados does not take {}", name));
    rados_conf_set(rados_, "client_mount_timeout",
                   fmt::format("{}", limits::rbd_mounting.count()).c_str());
    if (!options.keyring.empty()) rados_conf_set(rados_, "keyring", options.keyring.c_str());
    if (const int r = rados_connect(rados_); r < 0)
        return cluster_failed(-r, fmt::format("the cluster of {} cannot be reached", conf),
                              options);
    return {};
}

}  // namespace fulmar::backend::rbd
