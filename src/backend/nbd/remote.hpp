// The owner of a device's connections through all their incarnations: decides when it connects,
// what it takes for the export that was there, and when it gives up. Control reactor. Must never:
// wait, or touch a connection that a reactor has.
#pragma once

#include "export_view.hpp"
#include "handle.hpp"
#include "place.hpp"
#include "remote_states.hpp"

#include <fulmar/backend/nbd_device.hpp>
#include <fulmar/backend/storage_memory.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::backend::nbd {

/// Who is told. Called on: control reactor.
class remote_listener {
  public:
    virtual void on_remote_lost(const std::string& reason) noexcept = 0;
    virtual void on_remote_ready(bool resized) noexcept = 0;
    /// False: it stays away, until open().
    virtual bool on_remote_back_without_data(const std::string& reason) noexcept = 0;

  protected:
    ~remote_listener() = default;
};

/// Called on: control reactor, unless a method says otherwise.
class remote final : private loss_reporter {
  public:
    remote(const nbd_options& options, const nbd_environment& environment,
           remote_listener& listener);
    remote(const remote&) = delete;
    remote& operator=(const remote&) = delete;

    /// Nobody has a channel. It closes its connections, and deletes itself.
    void leave() noexcept;

    /// Waits for the server. Errors: what is in the way; then it is tried again later.
    result<void> connect_now(duration patience);
    /// Begins to connect, and goes on until it succeeds.
    void connect_soon() noexcept;
    /// An operator asks for new connections, and accepts what lost_data() says.
    void open() noexcept;
    /// Likewise, to another export than the one that was there.
    void accept() noexcept;

    [[nodiscard]] export_view& view() noexcept { return view_; }
    [[nodiscard]] remote_state state() const noexcept { return state_; }
    [[nodiscard]] bool ready() const noexcept {
        return state_ == remote_state::ready && !view_.lost.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool refused() const noexcept { return refused_; }
    [[nodiscard]] bool served() const noexcept { return served_; }
    [[nodiscard]] bool lost_data() const noexcept;
    [[nodiscard]] std::string trouble() const;
    [[nodiscard]] const std::string& shortage() const noexcept { return shortage_; }
    [[nodiscard]] const backend::geometry& geometry() const noexcept { return geometry_; }
    [[nodiscard]] place* place_of(const engine::reactor& r) noexcept;

  private:
    ~remote();
    friend struct std::default_delete<remote>;

    struct connect_job final : engine::helper_job {
        explicit connect_job(remote& r) noexcept : owner(&r) {}
        void work() noexcept override;
        void on_done() noexcept override { owner->on_connected(); }
        void on_abandoned() noexcept override {}
        remote* owner;
        std::optional<result<opened_export>> outcome;
    };
    /// Carries connections to their reactor, or has them closed there, and comes home.
    struct link final : engine::message {
        link(remote& r, engine::reactor& reactor);
        void send() noexcept;
        static void there(engine::message& m) noexcept;
        static void home_again(engine::message& m) noexcept;
        remote* owner;
        nbd::place place;
        connection_list connections;  // on the way
        nbd::place* home = nullptr;
        std::uint32_t session = 0;
        bool up = false;
        bool away = false;
    };

    void report(remote_loss why) noexcept override;
    void on_loss() noexcept;
    void reconnect() noexcept;
    void advance(remote_event on) noexcept;
    void try_connect() noexcept;
    void on_connected() noexcept;
    result<void> take(result<opened_export> found);
    [[nodiscard]] result<void> judge(const export_facts& found) const;
    [[nodiscard]] result<void> recognise(const export_facts& found) const;
    [[nodiscard]] bool may_serve() noexcept;
    void adopt(const export_facts& found);
    void remember();
    void link_up(std::vector<handle> handles);
    void link_down() noexcept;
    void on_links_home() noexcept;
    void refuse(const error& why, bool other) noexcept;
    void try_later() noexcept;
    void retry() noexcept;
    [[nodiscard]] bool links_home() const noexcept;
    [[nodiscard]] std::uint64_t usable_blocks(std::uint64_t bytes) const noexcept;
    void check_left() noexcept;

    nbd_options options_;
    nbd_environment environment_;
    remote_listener* listener_;
    export_view view_;
    backend::geometry geometry_{};
    remote_state state_ = remote_state::away;
    std::atomic<remote_loss> cause_{remote_loss::none};
    remote_loss last_loss_ = remote_loss::none;
    std::optional<storage_record> known_;  // what was there
    std::string trouble_ = "it has not been connected";
    std::string shortage_;
    bool refused_ = false;  // there is something, and it is not what is wanted
    bool served_ = false;   // since the device exists
    bool awaits_operator_ = false;
    bool accepts_other_ = false;
    bool leaving_ = false;
    bool resized_ = false;
    std::uint32_t session_ = 0;
    std::size_t home_ = 0;  // of links_: who has the only connection
    duration pause_ = limits::nbd_first_retry;
    std::vector<std::unique_ptr<link>> links_;
    connect_job connect_{*this};
    engine::member_message<&remote::on_loss> loss_{*this};
    engine::member_message<&remote::reconnect> reconnect_{*this};
    engine::member_timer<&remote::retry> retry_{*this};
};

}  // namespace fulmar::backend::nbd
