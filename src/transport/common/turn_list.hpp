// Connections that have something to do in this turn, or the next.
#pragma once

#include <fulmar/base/intrusive.hpp>

namespace fulmar::transport::common {

/// `Hook` is the connection's, for this list alone. Called on: owning reactor.
template <typename Connection, list_hook Connection::*Hook>
class turn_list {
  public:
    /// Once, however often it is said.
    void add(Connection& c) noexcept {
        if (!(c.*Hook).is_linked()) all_.push_back(c);
    }
    /// Also out of a list that is being visited.
    void remove(Connection& c) noexcept {
        if ((c.*Hook).is_linked()) all_.erase(all_.iterator_to(c));
    }
    [[nodiscard]] bool empty() const noexcept { return all_.empty(); }

    /// Calls `visit` for those that are in the list now; who is added meanwhile comes next time.
    /// True when any `visit` was.
    template <typename Visit>
    bool visit_all(Visit&& visit) noexcept {
        list due;
        due.swap(all_);
        bool worked = false;
        while (!due.empty()) {
            Connection& c = due.front();
            due.pop_front();
            worked |= visit(c);
        }
        return worked;
    }

  private:
    using list = intrusive_list<Connection, Hook>;
    list all_;
};

}  // namespace fulmar::transport::common
