// What devices do: simulated disks, and drives under the real driver.
#include "player.hpp"

namespace fulmar::sim {

using std::chrono::microseconds;

void player::stall() {
    const std::string& name = in_.of_all(disks_);
    const bool on = !in_.one_in(3);
    if (world_.is_drive(name)) return world_.slots().in(name).drive().hold(on);
    world_.note("disk {} {}", name, on ? "stalls" : "goes on");
    world_.disk_named(name).set_stalled(on);
}

void player::change_manners() {
    const std::string& name = in_.of_all(disks_);
    const std::uint8_t how = in_.next();
    if (world_.is_drive(name)) return;
    disk& d = world_.disk_named(name);
    disk_manners m = d.fault_profile();
    m.error_chance = (how & 3) == 3 ? 0.2 : 0;
    m.ignore_abort_chance = (how & 4) != 0 ? 1 : 0.3;
    m.delay_max = (how & 8) != 0 ? microseconds(30'000) : microseconds(500);
    m.no_channel_on = (how & 0xf0) == 0xf0 ? std::uint16_t{1} : std::uint16_t{0};
    d.set_manners(m);
}

void player::lose_device() {
    const std::string& name = in_.of_all(disks_);
    if (!world_.is_drive(name)) return world_.lose(name);
    give_sign();
}

void player::give_sign() {
    const std::size_t what = in_.pick(drive_fault_count + 2);
    for (const std::string& name : disks_) {
        if (!world_.is_drive(name)) continue;
        const auto sign = static_cast<drive_fault>(what);
        if (what >= drive_fault_count) {
            world_.slots().bring_back(name);
            continue;
        }
        world_.give(name, sign);
        // The drive that is put in again has been without power, which the kernel tells.
        if (sign == drive_fault::silent_ones || sign == drive_fault::silent_zeros)
            world_.give(name, drive_fault::removed);
    }
}

void player::mend_devices() {
    for (const std::string& name : disks_) {
        if (world_.is_drive(name)) {
            world_.slots().bring_back(name);
            continue;
        }
        world_.disk_named(name).set_stalled(false);
        world_.disk_named(name).set_manners({});
    }
}

}  // namespace fulmar::sim
