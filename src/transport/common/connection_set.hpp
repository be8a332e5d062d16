// The connections of one transport on one reactor: who sends at the end of the turn, whose
// deadlines are looked at, and who is destroyed then.
#pragma once

#include "turn_list.hpp"

#include <fulmar/base/intrusive.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <chrono>

namespace fulmar::transport::common {

/// `Connection` has `group_hook` and `flush_hook`, and
///  - `bool flush()`: sends what is due; true when anything left;
///  - `bool check_deadlines(instant now)`: true while there is something to look after;
///  - `static void destroy(Connection&)`: its last act. It has been retired before.
/// Called on: owning reactor, all methods.
template <typename Connection>
class connection_set {
  public:
    explicit connection_set(engine::reactor& reactor) noexcept : reactor_(reactor) {
        reactor_.add(flusher_, engine::stage::flush);
    }
    ~connection_set() {
        flush_all();
        reactor_.timers().cancel(deadlines_);
        reactor_.remove(flusher_, engine::stage::flush);
    }
    connection_set(const connection_set&) = delete;
    connection_set& operator=(const connection_set&) = delete;

    void add(Connection& c) noexcept { all_.push_back(c); }
    void needs_flush(Connection& c) noexcept { due_.add(c); }
    /// From now on deadlines are looked at, as long as any connection has one.
    void needs_deadlines() noexcept {
        if (!deadlines_.armed()) reactor_.timers().arm(deadlines_, reactor_.now() + look_interval);
    }
    /// Destroyed at the end of the turn.
    void retire(Connection& c) noexcept {
        all_.erase(all_.iterator_to(c));
        due_.remove(c);
        retired_.push_back(c);
    }

    /// What is due, and who is retired, now.
    bool flush_all() noexcept {
        bool worked = due_.visit_all([](Connection& c) { return c.flush(); });
        while (!retired_.empty()) {
            Connection& c = retired_.front();
            retired_.pop_front();
            Connection::destroy(c);
            worked = true;
        }
        return worked;
    }

  private:
    static constexpr std::chrono::seconds look_interval{1};

    [[nodiscard]] bool has_work() const noexcept { return !due_.empty() || !retired_.empty(); }
    void look() noexcept {
        bool again = false;
        for (auto at = all_.begin(); at != all_.end();) {
            Connection& c = *at++;  // which may be retired by this
            again = c.check_deadlines(reactor_.now()) || again;
        }
        if (again) needs_deadlines();
    }

    engine::reactor& reactor_;
    turn_list<Connection, &Connection::flush_hook> due_;
    intrusive_list<Connection, &Connection::group_hook> all_;
    intrusive_list<Connection, &Connection::group_hook> retired_;
    engine::member_poller<&connection_set::flush_all, &connection_set::has_work> flusher_{*this};
    engine::member_timer<&connection_set::look> deadlines_{*this};
};

}  // namespace fulmar::transport::common
