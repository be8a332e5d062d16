// Thirty peers of ten sorts, driven by one thread: each step is short and never waits for the
// target. Told to behave, the same peers do what they are for, as a control.
#pragma once

#include <fulmar/host/endpoint.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace fulmar::hostile {

inline constexpr std::string_view subsystem_nqn = "nqn.2026-11.io.fulmar:hostile";
inline constexpr unsigned of_each_sort = 3;
inline constexpr unsigned honest_hosts = 3;

/// The NQN of an honest host, and of a peer that the subsystem allows.
[[nodiscard]] std::string honest_nqn(unsigned number);
[[nodiscard]] std::string peer_nqn(unsigned number);
/// Of the peers that are allowed: those that owe, never read, churn, or send wrong digests.
inline constexpr unsigned allowed_peers = 4 * of_each_sort;

/// Where they go.
struct places {
    host::endpoint target;
    std::uint16_t administration = 0;  ///< port of 127.0.0.1
};

enum class manner { misbehave, behave };

/// One peer.
class peer {
  public:
    virtual ~peer() = default;
    /// Does a little. Whatever the target does to it is its own affair: an error makes it begin
    /// anew.
    virtual void step() = 0;
    [[nodiscard]] virtual std::string_view sort() const = 0;
};

[[nodiscard]] std::vector<std::unique_ptr<peer>> make_peers(const places& where, manner how);

/// All of them, on a thread of its own, until it dies.
class crowd {
  public:
    crowd(const places& where, manner how);
    ~crowd();
    crowd(const crowd&) = delete;
    crowd& operator=(const crowd&) = delete;

    /// How often each has had its turn.
    [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_; }

  private:
    std::vector<std::unique_ptr<peer>> peers_;
    std::atomic<bool> ends_{false};
    std::atomic<std::uint64_t> rounds_{0};
    std::thread thread_;
};

}  // namespace fulmar::hostile
