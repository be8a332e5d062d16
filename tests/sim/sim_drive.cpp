#include "sim_drive.hpp"

#include <utility>

namespace fulmar::sim {

using std::chrono::microseconds;
using std::chrono::seconds;
using test::fake_drive;

std::string_view to_string(drive_fault what) noexcept {
    switch (what) {
        case drive_fault::request: return "request";
        case drive_fault::bus_error: return "bus error";
        case drive_fault::removed: return "removed";
        case drive_fault::silent_zeros: return "silent (zeros)";
        case drive_fault::silent_ones: return "silent (ones)";
        case drive_fault::fatal: return "fatal";
        case drive_fault::stuck: return "stuck";
        case drive_fault::hostile: return "hostile";
        case drive_fault::detach: return "detach";
        case drive_fault::drain: return "drain";
        case drive_fault::arrival: return "arrival";
        case drive_fault::attach: return "attach";
    }
    return "?";
}

sim_drive::sim_drive(fake_drive::options what, job_runner& jobs, std::mt19937_64& random)
    : what_(std::move(what)),
      jobs_(jobs),
      random_(random),
      drive_(what_, fake_drive::pace::by_hand) {
    drive_.interrupt_user([this](fake_drive::moment which) { block(which); });
}

// Inside a job: others go on meanwhile.
void sim_drive::block(fake_drive::moment which) {
    switch (which) {
        case fake_drive::moment::waiting: return jobs_.wait_rounds(1);
        case fake_drive::moment::opening:
        case fake_drive::moment::silencing:
        case fake_drive::moment::cutting: return jobs_.wait_rounds(pick(6));
        case fake_drive::moment::closing: {
            // The kernel resets a drive, and waits long for one that is dead.
            const duration time = silent_ && pick(2) == 0 ? duration(seconds(pick(15)))
                                                          : duration(microseconds(pick(20'000)));
            ++closing_;
            jobs_.wait(time);
            --closing_;
            return;
        }
    }
}

bool sim_drive::give(drive_fault what) {
    switch (what) {
        case drive_fault::request:
            requested_ = true;
            drive_.request_removal();
            return true;
        case drive_fault::bus_error: drive_.report_bus_error(); return true;
        case drive_fault::silent_zeros:
        case drive_fault::silent_ones:
            silent_ = true;
            drive_.fall_silent(what == drive_fault::silent_zeros ? 0 : 0xffff'ffff);
            return true;
        case drive_fault::fatal:
            drive_.hold(true);
            fatal_opening_ = drive_.is_open() ? drive_.openings() : 0;
            drive_.report_fatal_error();
            return true;
        case drive_fault::stuck:
            drive_.hold(true);
            drive_.ignore_aborts(true);
            return true;
        case drive_fault::hostile: drive_.misbehave(fake_drive::mischief::wild_cid); return true;
        case drive_fault::removed:
        case drive_fault::detach:
        case drive_fault::drain:
        case drive_fault::arrival:
        case drive_fault::attach: return false;
    }
    return false;
}

void sim_drive::heal() {
    drive_.hold(fatal());
    drive_.ignore_aborts(false);
    drive_.ignore_admin(false);
    drive_.never_become_ready(false);
    drive_.misbehave(fake_drive::mischief::none);
    if (silent_) replace(what_);
}

bool sim_drive::replace(fake_drive::options with) {
    if (drive_.is_open()) return false;
    const bool watched = at_power_loss_ && with.loses_cache && with.serial == what_.serial;
    what_ = std::move(with);
    if (watched) at_power_loss_(false);
    drive_.plug(what_);
    if (watched) at_power_loss_(true);
    silent_ = false;
    return true;
}

}  // namespace fulmar::sim
