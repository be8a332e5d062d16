#include "daemon.hpp"

#include "device_factory.hpp"

#include <fulmar/backend/allowed_paths.hpp>
#include <fulmar/backend/kept_files.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/memory_reserve.hpp>
#include <fulmar/base/version.hpp>
#include <fulmar/core/device_paths.hpp>
#include <fulmar/core/fields/device_fields.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/uring_file_io.hpp>
#include <fulmar/transport/rdma.hpp>
#include <fulmar/transport/tcp.hpp>

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace fulmar::app {

namespace {

constexpr std::size_t mib = 1024 * 1024;
constexpr reactor_id control_id{0xffff};
constexpr duration journal_stop_limit = std::chrono::seconds(5);
constexpr std::chrono::milliseconds admin_stop_limit{500};
constexpr std::size_t memory_reserve_bytes = 8 * mib;
constexpr duration reactors_stop_limit = std::chrono::seconds(5);
constexpr duration drives_stop_limit = std::chrono::seconds(12);

engine::reactor_pool::options pool_options(const admin::core_options& cores,
                                           const clock_source& clock) {
    return {
        .count = cores.data,
        .cpus = cores.cpus,
        .busy_window = std::chrono::microseconds(cores.busy_poll_us),
        .clock = &clock,
        .hooks = {
            .on_start =
                [](engine::reactor&) noexcept { return mem::environment::register_thread(); },
            .on_stop = [](engine::reactor&) noexcept { mem::environment::unregister_thread(); }}};
}

// Beside the journal, and named like it.
std::string state_path(const std::string& config_path, const std::string& state_dir,
                       std::string_view ending) {
    std::string path = state_dir.empty() ? admin::folder_of(config_path) : state_dir;
    return path.append("/")
        .append(config_path.substr(config_path.rfind('/') + 1))
        .append(".")
        .append(ending);
}

// Of this start of the machine; one that cannot be read is another one every time.
std::string boot_id() {
    auto text = admin::system_disk().read("/proc/sys/kernel/random/boot_id");
    if (!text) {
        log::warn("{}: reservations that need not persist end with the daemon",
                  text.error().text());
        return fmt::format("unknown {}",
                           std::chrono::system_clock::now().time_since_epoch().count());
    }
    while (!text->empty() && text->back() == '\n') text->pop_back();
    return *text;
}

std::uint64_t random_number() noexcept {
    std::uint64_t number = 0;
    const bool drawn =
        ::getrandom(&number, sizeof number, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof number);
    return drawn ? number : 0;
}

constexpr std::string_view reactor_hangs = "a data reactor hangs in the kernel: ending without it";

// Storage of hosts is never what the daemon itself needs to start again.
void keep_own_files(const std::string& config_path, const admin::daemon_options& options) {
    namespace fs = std::filesystem;
    const fs::path folder = options.state_dir.empty() ? fs::path(config_path).parent_path()
                                                      : fs::path(options.state_dir);
    backend::keep_from_devices(config_path, "the configuration", true);
    backend::keep_from_devices((folder / fs::path(config_path).filename()).string(), "the journal",
                               true);
    backend::keep_from_devices(options.admin.unix_socket, "the socket of the administration");
    if (options.admin.tcp)
        backend::keep_from_devices(options.admin.tcp->token_file, "the token file");
    backend::keep_from_devices(options.admin.tokens, "the file of tokens");
    for (const admin::admin_listener& one : options.admin.listeners) {
        backend::keep_from_devices(one.certificate, "the certificate");
        backend::keep_from_devices(one.key, "the key");
        backend::keep_from_devices(one.client_ca, "the authority of clients");
    }
    backend::keep_from_devices(STDOUT_FILENO, "the log");
    backend::keep_from_devices(STDERR_FILENO, "the log");
}

// What was configured is served where it leads; what REST names later is judged by the list. Beside
// a configuration may be anybody's files (/etc): only a folder that is given to us is ours.
void confine_named_paths(const admin::daemon_config& config) {
    for (const core::device_spec& device : config.spec.devices) {
        for (const auto path : core::device_paths)
            if (!(device.*path).empty()) backend::trust_path(device.*path);
        backend::keep_from_devices(device.keyring, "a key of a Ceph cluster");
        backend::keep_from_devices(device.tls_psk_file, "a key of an NBD device");
        if (!device.tls_certificates.empty())
            backend::keep_from_devices(device.tls_certificates + "/client-key.pem",
                                       "a key of an NBD device");
    }
    const admin::daemon_options& options = config.options;
    std::vector<std::string> ours;
    if (!options.state_dir.empty()) ours.push_back(options.state_dir + "/**");
    backend::confine_devices(options.files.allow.value_or(ours));
}

// Somebody may still touch what we own: nothing of it may be destroyed.
[[noreturn]] void end_without(std::string_view why, int exit_code = 0) {
    log::warn("{}", why);
    log::shut_down();
    std::_Exit(exit_code);
}

void end_unless_at_rest(const engine::file_io_provider& files) {
    if (files.at_rest()) return;
    end_without(
        "the storage of the journal hangs: ending without it; what was acknowledged is safe");
}

}  // namespace

result<std::unique_ptr<daemon>> daemon::create(const command_line& wanted,
                                               admin::loaded_config config) {
    std::unique_ptr<daemon> made(new daemon(wanted, std::move(config)));
    FULMAR_CHECK(made->build());
    return made;
}

result<void> daemon::build() {
    const admin::daemon_options& options = config_.config.options;
    const std::size_t pool_bytes = options.memory.pool_mib * mib;

    // Memory first: EAL makes the calling thread its own, and every pool comes out of it.
    FULMAR_TRY(
        memory_,
        mem::environment::bring_up(
            {.memory_bytes = (pool_bytes + limits::admin_pool_bytes + limits::newcomer_pool_bytes) *
                             options.cores.data,
             .hugepages = options.memory.hugepages != admin::hugepage_use::off}));
    if (options.memory.hugepages == admin::hugepage_use::on && !memory_->hugepages())
        return fail(errc::no_memory, memory_->why(), "/memory/hugepages",
                    "provide hugepages, or say \"auto\"");
    log::info("memory: {}", memory_->why());
    keep_own_files(config_path_, options);
    FULMAR_CHECK(memory_reserve::keep(memory_reserve_bytes));

    // Reactors: this thread's, which sleeps at once when there is nothing to do, and one for each
    // data core.
    FULMAR_TRY(control_,
               engine::reactor::create(
                   {.id = control_id, .busy_window = duration::zero(), .clock = &clock_}));
    FULMAR_TRY(pool_, engine::reactor_pool::create(pool_options(options.cores, clock_)));
    files_ = engine::make_uring_files();
    std::vector<engine::reactor*> data;
    for (const auto& r : pool_->reactors()) data.push_back(r.get());
    drives_ = std::make_unique<drives::drive_manager>(*control_, std::move(data), options.drives);
    namespace_events_ = std::make_unique<namespace_events>(drives_->numbers());

    FULMAR_CHECK(open_state());

    // The target, a poll group on each data reactor, and the transports that feed them.
    target_ = std::make_unique<core::target>(
        *control_,
        core::target::setup{.limits = options.target,
                            .make_device = make_device_factory({.control = control_.get(),
                                                                .files = files_.get(),
                                                                .watch = storage_watch_.get(),
                                                                .memory = storage_records_.get()},
                                                               drives_->environment()),
                            .log = journal_.get(),
                            .memory = namespace_files_.get(),
                            .hugepages = memory_->hugepages(),
                            .counters = &drives_->counters(),
                            .keys = keys_.get(),
                            .events = namespace_events_.get(),
                            .random = &random_number});
    for (const auto& r : pool_->reactors()) {
        FULMAR_TRY(auto buffers,
                   mem::buffer_pool::create(memory_->memory(), {.bytes = pool_bytes}));
        drives_->add_dma_memory({buffers->base(), buffers->bytes()});
        target_->add_poll_group(*r, std::move(buffers));
    }
    FULMAR_CHECK(target_->add_transport(transport::make_tcp_transport(*target_)));
    FULMAR_CHECK(target_->add_transport(transport::make_rdma_transport(*target_)));

    drives_->begin(*target_);
    watchdog_ = std::make_unique<watchdog>(*control_, *pool_);
    idle_memory_ = std::make_unique<idle_memory>(*control_, *target_);
    FULMAR_TRY(signals_, signals::watch(*control_, [this](int number) { on_signal(number); }));
    return {};
}

// What was acknowledged before a crash is in the journal: it comes on top of the file.
result<void> daemon::open_state() {
    storage_records_ = std::make_unique<storage_records>(
        *control_, admin::system_disk(),
        state_path(config_path_, config_.config.options.state_dir, "devices"));
    namespace_files_ = std::make_unique<namespace_files>(
        *control_, admin::system_disk(),
        state_path(config_path_, config_.config.options.state_dir, "reservations."), boot_id());
    storage_watch_ = std::make_unique<backend::storage_watch>(*control_);
    const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY");
    keys_ = std::make_unique<admin::key_store>(
        state_path(config_path_, config_.config.options.state_dir, "keys"),
        credentials != nullptr ? credentials : "");
    keys_->load();
    FULMAR_TRY(auto journal, admin::journal::open({.config_path = config_path_,
                                                   .state_dir = config_.config.options.state_dir},
                                                  config_));
    for (const std::string& note : journal.notes) log::warn("{}", note);
    for (const std::string& remark : journal.remarks) log::info("{}", remark);
    for (const admin::broken_object& one : journal.log->broken()) log::error("{}", one.text());
    journal_ = std::move(journal.log);
    config_.config.spec = std::move(journal.spec);
    if (create_missing_)
        for (core::device_spec& d : config_.config.spec.devices)
            d.create = d.create || (core::has_field(d, "create") && d.size_bytes != 0);
    confine_named_paths(config_.config);
    return {};
}

int daemon::run() {
    if (auto started = pool_->start(); !started) {
        log::error("{}", started.error().text());
        return 1;
    }
    // From here on data reactors run: what they own is reached by messages only.
    if (auto io = files_->for_reactor(*control_))
        journal_->run_on(*control_, **io);
    else
        journal_->run_without_files(*control_, io.error());
    auto server = admin::server::start({.port = target_.get(),
                                        .log = journal_.get(),
                                        .keys = keys_.get(),
                                        .drives = &drives_->port(),
                                        .config_path = config_path_,
                                        .options = config_.config.options,
                                        .trust_path = backend::trust_path});
    if (!server) {
        log::error("{}", server.error().text());
        if (!pool_->stop(reactors_stop_limit)) end_without(reactor_hangs, 1);
        return 1;
    }
    server_ = std::move(*server);
    drives_->set_publisher([this](const admin::event& event) { server_->publish(event); });
    namespace_events_->set_publisher(
        [this](const admin::event& event) { server_->publish(event); });
    for (const std::string& address : server_->addresses())
        log::info("administration at {}", address);
    watchdog_->also_ask(
        [this](std::function<void()> answered) { server_->ping(std::move(answered)); });
    target_->start(
        config_.config.spec,
        [this](const error& e) {
            log::error("{}", e.text());
            server_->start_failed(e.text());
        },
        [this] {
            log::info("fulmard {} serves", version);
            watchdog_->ready();
            drives_->look_around();
        });
    control_->run();
    wind_up();
    return 0;
}

// Nothing is connected and no subsystem is left (or the time-out has passed).
void daemon::wind_up() {
    while (control_->run_once()) {}  // what the administration asked last
    server_->stop(admin_stop_limit);
    while (control_->run_once()) {}  // and what it had on its way
    if (!pool_->stop(reactors_stop_limit)) end_without(reactor_hangs);
    if (!target_->at_rest())  // its memory is lent out for good
        end_without("a device keeps operations for ever: ending without it");
    end_unless_at_rest(*files_);
    // Drives are given back by threads of their own; a dead one may take its time.
    watchdog_.reset();
    idle_memory_.reset();
    drives_->stop();
    namespace_events_->set_publisher(nullptr);
    server_.reset();
    target_.reset();
    storage_watch_.reset();
    storage_records_.reset();
    namespace_files_.reset();
    drives_->leave_questions();
    // What those threads have to say may begin another: a drive that was being brought up is
    // closed.
    do {
        if (!engine::helper_job::wait_for_all(drives_stop_limit))
            end_without(
                "the kernel keeps a call on a drive or a disk for too long: ending without it");
        // What devices have on data reactors is given back there; those have no threads any more.
        for (const auto& r : pool_->reactors())
            while (r->run_once()) {}
    } while (control_->run_once());
    end_unless_at_rest(*files_);  // what a thread had to say may have begun something there, too
    log::info("stopped");
}

void daemon::on_signal(int number) {
    if (number == SIGHUP && server_) return server_->reload();
    stop();
}

void daemon::stop() {
    if (stopping_) return;
    stopping_ = true;
    log::info("stopping");
    watchdog_->stopping(std::chrono::milliseconds(target_->options().shutdown_timeout_ms) +
                        journal_stop_limit);
    target_->shut_down(
        [this] { journal_->stop(journal_stop_limit, [this] { control_->stop(); }); });
}

daemon::~daemon() {
    signals_.reset();
    watchdog_.reset();
    idle_memory_.reset();
    if (drives_) drives_->stop();
    server_.reset();
    target_.reset();
    storage_watch_.reset();
    storage_records_.reset();
    namespace_files_.reset();
    journal_.reset();
    files_.reset();
}

}  // namespace fulmar::app
