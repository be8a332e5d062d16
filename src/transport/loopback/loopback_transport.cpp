#include "loopback_transport.hpp"

namespace fulmar::transport::loopback {

namespace {

class loopback_listener final : public core::listener {
  public:
    loopback_listener(core::listener_spec spec, loopback_transport& owner,
                      std::shared_ptr<common::listener_counters> counters)
        : spec_(std::move(spec)), owner_(owner), counters_(std::move(counters)) {}
    ~loopback_listener() override { owner_.forget(counters_->name); }

    [[nodiscard]] core::listener_status status() const override {
        core::listener_status s;
        s.spec = spec_;
        counters_->report(s);
        return s;
    }

  private:
    core::listener_spec spec_;
    loopback_transport& owner_;
    std::shared_ptr<common::listener_counters> counters_;
};

// A connection on its way from the control reactor to its group.
struct accepted_message final : engine::message {
    accepted_message(loopback_group& to, accepted_host what)
        : message([](engine::message& m) noexcept {
              const std::unique_ptr<accepted_message> self(static_cast<accepted_message*>(&m));
              self->group->adopt(std::move(self->from));
          }),
          group(&to),
          from(std::move(what)) {}
    loopback_group* group;
    accepted_host from;
};

}  // namespace

result<std::unique_ptr<core::listener>> loopback_transport::listen(const core::listener_spec& spec,
                                                                   core::listen_mode /*mode*/) {
    const std::string name = spec.name();
    if (listening_.contains(name))
        return fail(errc::already_exists, name + " is being listened to");
    auto counters = std::make_shared<common::listener_counters>();
    counters->name = name;
    listening_.emplace(name, counters);
    return std::make_unique<loopback_listener>(spec, *this, std::move(counters));
}

result<std::unique_ptr<core::transport_group>> loopback_transport::create_group(
    core::poll_group& group) {
    auto made = std::make_unique<loopback_group>(group);
    groups_.push_back(made.get());
    return made;
}

void loopback_transport::knock(const std::string& listener, accepted_host from,
                               std::optional<std::size_t> group) {
    const auto at = listening_.find(listener);
    if (at == listening_.end())
        return frame::to_host(std::make_unique<frame>(frame_kind::closed, from.way));
    from.counters = at->second;
    const std::uint64_t most = target_.options().max_connections_per_listener;
    if (from.counters->connections.load(std::memory_order_relaxed) >= most) {
        from.counters->count_rejected();
        return frame::to_host(std::make_unique<frame>(frame_kind::closed, from.way));
    }
    core::poll_group& chosen =
        group ? groups_[*group % groups_.size()]->group() : target_.least_loaded();
    for (loopback_group* g : groups_) {
        if (&g->group() != &chosen) continue;
        chosen.load.fetch_add(1, std::memory_order_relaxed);
        from.counters->count_in();
        from.way->data = &chosen.reactor();
        chosen.reactor().post(*std::make_unique<accepted_message>(*g, std::move(from)).release());
        return;
    }
}

}  // namespace fulmar::transport::loopback
