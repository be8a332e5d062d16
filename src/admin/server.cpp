#include "change_json.hpp"
#include "config_history.hpp"
#include "one_answer.hpp"
#include "reload.hpp"
#include "reply_path.hpp"
#include "rest_api.hpp"
#include "tls_context.hpp"

#include <fulmar/admin/key_store.hpp>
#include <fulmar/admin/server.hpp>
#include <fulmar/base/log.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <thread>
#include <utility>

namespace fulmar::admin {

namespace asio = boost::asio;

class server::impl {
  public:
    explicit impl(setup parts)
        : setup_(std::move(parts)),
          core_(io_, *setup_.port, patience()),
          drives_(io_, setup_.drives),
          context_{.core = core_,
                   .gate = gate_,
                   .drives = drives_,
                   .log = setup_.log,
                   .keys = setup_.keys,
                   .config_path = setup_.config_path,
                   .options = setup_.options,
                   .audit = setup_.options.admin.audit} {
        if (setup_.log != nullptr)
            context_.rebase = [this](std::unique_ptr<journal_base> to,
                                     std::function<void(result<void>)> done) {
                rebase(std::move(to), std::move(done));
            };
    }

    ~impl() {
        stop(std::chrono::milliseconds(0));
        replies_->close();
    }

    result<void> start() {
        const admin_options& admin = setup_.options.admin;
        std::vector<std::pair<unique_fd, http_door>> doors;
        if (!admin.unix_socket.empty()) {
            FULMAR_TRY(unique_fd local, listen_unix(admin.unix_socket, admin.socket_mode));
            socket_path_ = admin.unix_socket;
            addresses_.push_back("unix:" + socket_path_);
            doors.emplace_back(std::move(local), http_door{});
        }
        if (admin.tcp) {
            FULMAR_TRY(unique_fd tcp, bind_tcp(admin.tcp->address, admin.tcp->port, "http"));
            doors.emplace_back(std::move(tcp), http_door{.over_tcp = true});
        }
        for (const admin_listener& one : admin.listeners) {
            http_door how{.over_tcp = true, .metrics_only = one.serves == admin_service::metrics};
            if (!one.certificate.empty()) {
                how.tls = std::make_shared<tls_setup>();
                auto loaded = load_tls(one);
                if (!loaded) {  // hosts are served, whatever has become of this file
                    log::error("rest: {} port {} is not served: {}", one.address, one.port,
                               loaded.error().text());
                    left_out_.push_back(one);
                    continue;
                }
                how.tls->now = std::move(*loaded);
                tls_.emplace_back(one, how.tls);
            }
            FULMAR_TRY(unique_fd tcp, bind_tcp(one.address, one.port, how.tls ? "https" : "http"));
            doors.emplace_back(std::move(tcp), std::move(how));
        }
        FULMAR_TRY(access_rules access,
                   access_rules::make(admin, tokens_path(setup_.options, setup_.config_path)));
        api_.emplace(context_, std::move(access));
        http_.emplace(io_, *api_, http_limits{});
        context_.http = &http_->counters();
        context_.access = &api_->access();
        context_.trust_path = setup_.trust_path;
        context_.reload_access = [this] { reload_access(); };
        for (auto& [listening, how] : doors) http_->serve(std::move(listening), std::move(how));
        thread_ = std::thread([this] { run(); });
        return {};
    }

    void stop(std::chrono::milliseconds patience) {
        if (!thread_.joinable()) return;
        asio::post(io_, [this, patience] {
            http_->stop();
            drives_.stop();
            finish_by_ = std::chrono::steady_clock::now() + patience;
            finish_when_quiet();
        });
        thread_.join();
        if (!socket_path_.empty()) ::unlink(socket_path_.c_str());
    }

    asio::io_context io_{1};
    std::vector<std::string> addresses_;

    void reload() {
        reload_access();
        if (setup_.config_path.empty()) return log::warn("reload: there is no configuration file");
        if (setup_.keys != nullptr) setup_.keys->load();
        // Nobody is there to be asked: neither pruning nor force.
        reload_config(context_, {}, [this](const reload_outcome& outcome) { report(outcome); });
    }

    void publish(event one) { drives_.publish(std::move(one)); }

    void start_failed(std::string why) {
        asio::post(io_, [this, text = std::move(why)]() mutable {
            context_.start_errors.push_back(std::move(text));
        });
    }

  private:
    result<unique_fd> bind_tcp(const std::string& address, std::uint16_t port,
                               std::string_view scheme) {
        FULMAR_TRY(unique_fd tcp, listen_tcp(address, port));
        const bool six = address.find(':') != std::string::npos;
        addresses_.push_back(six ? fmt::format("{}://[{}]:{}", scheme, address, port)
                                 : fmt::format("{}://{}:{}", scheme, address, port));
        return tcp;
    }

    /// Tokens and certificates, each by itself: what cannot be read stays as it was.
    void reload_access() {
        access_rules& access = api_->access();
        if (const result<void> taken = access.reload_token(); !taken)
            log::error("reload: the former token stays in force: {}", taken.error().text());
        if (const result<void> taken = access.reload_tokens(); !taken)
            log::error("reload: the former named tokens stay in force: {}", taken.error().text());
        for (const auto& [listener, setup] : tls_) {
            if (auto fresh = load_tls(listener))
                setup->now = std::move(*fresh);
            else
                log::error("reload: the former certificate stays in force: {}",
                           fresh.error().text());
        }
        std::erase_if(left_out_, [this](const admin_listener& one) { return serve_now(one); });
        log::info("reload: tokens and certificates were read anew");
    }

    /// A listener whose files were broken at the start. False: they are still.
    bool serve_now(const admin_listener& one) {
        http_door how{.over_tcp = true, .metrics_only = one.serves == admin_service::metrics};
        auto loaded = load_tls(one);
        auto listening =
            loaded ? listen_on(one) : result<unique_fd>(tl::unexpected(loaded.error()));
        if (!listening) {
            log::error("reload: {} port {} is still not served: {}", one.address, one.port,
                       listening.error().text());
            return false;
        }
        how.tls = std::make_shared<tls_setup>();
        how.tls->now = std::move(*loaded);
        tls_.emplace_back(one, how.tls);
        http_->serve(std::move(*listening), std::move(how));
        log::info("administration at {} port {}", one.address, one.port);
        return true;
    }

    static result<unique_fd> listen_on(const admin_listener& one) {
        std::uint16_t port = one.port;
        return listen_tcp(one.address, port);
    }

    [[nodiscard]] std::chrono::milliseconds patience() const {
        if (setup_.patience.count() != 0) return setup_.patience;
        return std::chrono::milliseconds(setup_.options.target.transition_timeout_ms) +
               std::chrono::seconds(5);
    }

    void run() {
        ::pthread_setname_np(::pthread_self(), "fulmar-admin");
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the control thread's
        const auto stay = asio::make_work_guard(io_);
        while (!io_.stopped()) {
            try {
                if (!http_->is_deaf()) {
                    io_.run();
                } else {  // memory was short; a moment later there may be some
                    io_.run_for(std::chrono::milliseconds(100));
                    http_->accept_again();
                }
            } catch (const std::exception& failure) {  // of one connection; the others go on
                log::error("rest: {}", failure.what());
            }
        }
    }

    void finish_when_quiet() {
        const bool late = std::chrono::steady_clock::now() >= finish_by_;
        if (http_->counters().connections == 0 || late) {
            http_->abort();
            return io_.stop();
        }
        closing_.expires_after(std::chrono::milliseconds(5));
        closing_.async_wait([this](boost::system::error_code) { finish_when_quiet(); });
    }

    // A reload keeps all other changes out: it must not wait for ever for a disk that hangs.
    void rebase(std::unique_ptr<journal_base> to, std::function<void(result<void>)> done) {
        const auto wait = std::make_shared<one_answer<result<void>>>(io_, std::move(done));
        wait->deadline.expires_after(patience());
        wait->deadline.async_wait([wait](boost::system::error_code failure) {
            if (failure) return;
            wait->end(fail(errc::timed_out, "the journal has not recorded the reload in time", {},
                           "look at the disk that holds the state; the changes are in effect"));
        });
        setup_.log->rebase(std::move(to), [this, home = replies_, waits = std::weak_ptr(wait)](
                                              const result<void>& outcome) {
            home->post([this, waits, outcome] {
                if (outcome) setup_.log->save_history();
                if (const auto still = waits.lock()) still->end(outcome);
            });
        });
    }

    void report(const reload_outcome& outcome) const {
        if (!outcome) {
            log::error("reload: nothing was changed:");
            for (const std::string& line : outcome.error().lines(setup_.config_path))
                log::error("reload: {}", line);
            return;
        }
        for (const problem& warning : outcome->warnings)
            log::warn("reload: {}", warning.text(setup_.config_path));
        for (const merge_note& note : outcome->notes) log::warn("reload: {}", note.text());
        for (const reload_report::step& step : outcome->steps) {
            if (step.failed)
                log::error("reload: {}: {}", describe(step.change), step.failed->text());
            else
                log::info("reload: {}", describe(step.change));
        }
        for (const std::string& pointer : outcome->needs_restart)
            log::warn("reload: {} has changed; that takes effect at the next start", pointer);
        if (!outcome->recorded) log::error("reload: {}", outcome->recorded.error().text());
        log::info("reload: {} changes, {} failed", outcome->steps.size(), outcome->failures());
    }

    setup setup_;
    const std::shared_ptr<reply_path> replies_ = std::make_shared<reply_path>(io_);
    control_client core_;
    drive_client drives_;
    change_lock gate_;
    rest_context context_;
    std::optional<rest_api> api_;
    std::optional<http_server> http_;
    std::string socket_path_;
    std::vector<std::pair<admin_listener, std::shared_ptr<tls_setup>>> tls_;
    std::vector<admin_listener> left_out_;
    asio::steady_timer closing_{io_};
    std::chrono::steady_clock::time_point finish_by_;
    std::thread thread_;
};

server::server(std::unique_ptr<impl> parts) : impl_(std::move(parts)) {}
server::~server() = default;

result<std::unique_ptr<server>> server::start(setup parts) {
    try {
        auto inside = std::make_unique<impl>(std::move(parts));
        FULMAR_CHECK(inside->start());
        return std::unique_ptr<server>(new server(std::move(inside)));
    } catch (const std::exception& failure) {
        return fail(errc::no_memory,
                    fmt::format("cannot start the admin server: {}", failure.what()));
    }
}

const std::vector<std::string>& server::addresses() const noexcept { return impl_->addresses_; }

void server::start_failed(std::string why) { impl_->start_failed(std::move(why)); }
void server::reload() {
    asio::post(impl_->io_, [this] { impl_->reload(); });
}

void server::publish(event one) { impl_->publish(std::move(one)); }

void server::ping(std::function<void()> answer) { asio::post(impl_->io_, std::move(answer)); }

void server::stop(std::chrono::milliseconds patience) { impl_->stop(patience); }

}  // namespace fulmar::admin
