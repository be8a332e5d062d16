// Any bytes as a story: hosts on several connections, devices that misbehave, operators that change
// things and a clock that goes on, one small step after the other. When the bytes end everything is
// mended, everybody gets an answer, and the world comes to rest.
#pragma once

#include "../world.hpp"
#include "step_bytes.hpp"
#include "wild_peer.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fulmar::sim {

/// A story ends within so many turns of its reactors; more is a livelock.
inline constexpr std::uint64_t most_turns = 400'000;
/// Of the guests, those whose data is judged.
inline constexpr std::size_t judged_guests = 6;
/// What is longer is cut.
inline constexpr std::size_t most_story_bytes = 1'024;

/// Called on: one thread.
class player {
  public:
    explicit player(std::span<const std::uint8_t> bytes);
    ~player();
    player(const player&) = delete;
    player& operator=(const player&) = delete;

    /// Failures are GoogleTest's. Returns the trace's hash.
    std::uint64_t play();
    [[nodiscard]] std::uint64_t turns() const { return world_.now_step(); }

  private:
    /// A host and its queues, all of one controller.
    struct guest {
        identity who;
        std::unique_ptr<queue> admin;
        std::vector<std::unique_ptr<queue>> queues;
    };
    struct question {
        ticket_ref ticket;
        std::size_t ahead = 0;  ///< that had no answer when it was asked
    };
    struct ending {
        instant when;
        std::size_t reactor;
    };
    using step = void (player::*)();

    // player.cpp
    static world_options shape(step_bytes& from);
    void one_step();
    void pass_time();
    void starve();
    void finish();
    void expect_answers();
    [[nodiscard]] bool everything_answered() const;

    // player_hosts.cpp
    guest& some_guest();
    queue* some_queue(guest& g);
    guest* guest_with_io();
    void add_queue(guest& g, std::uint16_t qid);
    void come();
    /// Connects; and enables its controller and joins a queue when it goes on.
    void arrive(guest& g, std::uint32_t keep_alive_ms, bool goes_on);
    void set_controller();
    void join();
    void write();
    void read();
    void other_io();
    void admin_command();
    void abort();
    void leave();
    void turn_lazy();
    void act_wildly();
    void submit_anything();
    void let_hosts_behave();

    // player_devices.cpp
    void stall();
    void change_manners();
    void lose_device();
    void give_sign();
    void mend_devices();

    // player_operators.cpp
    void ask(core::change what);
    void change_state();
    void change_namespace();
    void change_subsystem();
    void change_device();
    void change_access();
    void shut_down();
    core::namespace_spec some_namespace(const std::string& disk);
    std::string some_free_disk(const std::string& nqn);
    [[nodiscard]] bool is_wild(const std::string& nqn) const { return nqn == subsystems_.back(); }
    void look_at_answers();
    void look_at(const question& q);
    void restore();

    step_bytes in_;
    world world_;
    std::vector<std::string> subsystems_;
    std::vector<std::string> disks_;
    std::vector<guest> guests_;  ///< those after `judged_guests` write anything
    std::vector<std::unique_ptr<wild_peer>> wild_;
    std::vector<question> asked_;
    std::vector<ending> endings_;
    std::map<std::pair<std::string, std::uint32_t>, std::string> uuids_;
    std::vector<std::string> configured_;  // subsystems when the shutdown began
    bool stopping_ = false;
    bool stopped_ = false;
    bool spec_is_known_ = false;
};

/// Plays, and tells how many turns that took.
std::uint64_t play_story(std::span<const std::uint8_t> bytes);

}  // namespace fulmar::sim
