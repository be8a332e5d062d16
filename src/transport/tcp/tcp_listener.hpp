// Accepts NVMe/TCP connections at one address and hands each to the least loaded poll group. Where
// that address cannot be had yet, it waits for it.
#pragma once

#include "common/listener_counters.hpp"
#include "tcp_group.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/member_adapters.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::transport::tcp {

/// Called on: control reactor, all methods.
class tcp_listener final : public core::listener {
  public:
    /// Errors: see core::transport::listen().
    static fulmar::result<std::unique_ptr<core::listener>> open(
        const core::listener_spec& spec, core::listen_mode mode, core::target& target,
        const std::vector<tcp_group*>& groups);
    ~tcp_listener() override;
    [[nodiscard]] core::listener_status status() const override;
    [[nodiscard]] bool in_discovery() const noexcept override { return waits_for_.empty(); }

  private:
    tcp_listener(core::listener_spec spec, core::target& target,
                 const std::vector<tcp_group*>& groups);
    fulmar::result<void> try_to_listen();
    void wait(const error& why);
    void on_retry() noexcept;
    void on_pause_over() noexcept;
    void accept_some() noexcept;
    void hand_over(unique_fd fd, std::string peer, std::uint64_t address);
    /// Counts and tells that a connection was not taken.
    void reject(std::string_view peer, std::string_view why) noexcept;

    static constexpr unsigned accepts_per_turn = 64;
    static constexpr std::chrono::milliseconds accept_pause{100};

    core::listener_spec spec_;
    unique_fd fd_;           // empty while it waits
    std::string waits_for_;  // why there is no fd_
    core::target& target_;
    const std::vector<tcp_group*>& groups_;  // the transport's; outlives its listeners
    std::shared_ptr<common::listener_counters> counters_;
    std::shared_ptr<core::listener_places> places_;
    engine::member_watch<&tcp_listener::accept_some> watch_{*this};
    // Out of descriptors: accepting again at once would spin.
    engine::member_timer<&tcp_listener::on_pause_over> pause_{*this};
    engine::member_timer<&tcp_listener::on_retry> retry_{*this};
    log::limiter complaints_;
};

}  // namespace fulmar::transport::tcp
