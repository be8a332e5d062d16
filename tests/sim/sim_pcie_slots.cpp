#include "sim_pcie_slots.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace fulmar::sim {

using backend::drive_occurrence;

sim_pcie_slots::~sim_pcie_slots() {
    for (const auto& [name, s] : slots_)
        EXPECT_EQ(s->in.drive().bad_dma(), 0u) << name << " reached memory that is not lent";
}

sim_pcie_slots::slot::slot(std::string name, const vfio::pci_address& where,
                           test::fake_drive::options what, sim_pcie_slots& r)
    : address(where),
      in(std::move(what), r.jobs_, r.random_),
      ledger(std::move(name), in, r.checker_, r.now_),
      environment(r.common_) {
    environment.provider = &in.drive().provider();
    environment.device_list = &r.device_list_;
    environment.observer = &r;
    for (const std::span<std::byte> region : environment.memory) ledger.add_memory(region);
}

void sim_pcie_slots::use(engine::reactor& control, engine::reactor& data,
                         std::span<std::byte> pool) {
    common_.control = &control;
    common_.data.push_back(&data);
    common_.memory.push_back(pool);
}

void sim_pcie_slots::add(const std::string& name, const rack_options& options) {
    options_ = options;
    const auto where = vfio::parse_pci_address(fmt::format("0000:{:02x}:00.0", slots_.size() + 11));
    slots_.emplace(
        name, std::make_unique<slot>(name, where.value(),
                                     test::fake_drive::options{.serial = "SN-" + name,
                                                               .block_count = options.block_count,
                                                               .queues = 4,
                                                               .loses_cache = options.lose_cache},
                                     *this));
}

core::device_spec sim_pcie_slots::spec(const std::string& name) const {
    core::device_spec d;
    d.name = name;
    d.type = "pcie";
    d.address = at(name).address.text();
    if (options_.write_through) d.write_cache = core::write_cache_mode::through;
    return d;
}

result<std::unique_ptr<backend::device>> sim_pcie_slots::make(const core::device_spec& spec) {
    slot& s = *slots_.at(spec.name);
    s.open_before = s.in.drive().is_open();
    FULMAR_TRY(auto real, backend::make_pcie_device(
                              {.name = spec.name,
                               .address = s.address,
                               .serial = spec.serial,
                               .detached = spec.detached,
                               .write_through = spec.write_cache == core::write_cache_mode::through,
                               .command_timeout = options_.command_timeout},
                              s.environment));
    return watch_device(std::move(real), s.ledger);
}

// --- turns ---------------------------------------------------------------------------------------

bool sim_pcie_slots::step() {
    bool worked = false;
    for (const auto& [name, s] : slots_) {
        if (random_() % 3 != 0) worked |= s->in.drive().step_once();
        s->open_before = s->open_before && s->in.drive().is_open();
        if (const auto ill = ailing_.find(name); ill != ailing_.end()) {
            s->in.heal();
            const bool found = ill->second;
            if (s->in.healthy()) ailing_.erase(ill);
            if (s->in.healthy() && found) give(name, drive_fault::arrival);
        }
        const backend::drive_state now = state(name);
        if (std::exchange(s->seen, now) != now) tell_(fmt::format("{}: {}", name, to_string(now)));
    }
    worked |= jobs_.step();
    return worked;
}

backend::drive_state sim_pcie_slots::state(const std::string& name) const {
    const backend::pcie_device* const device = driver(name);
    return device != nullptr ? device->status().state : backend::drive_state::absent;
}

bool sim_pcie_slots::give(const std::string& name, drive_fault what) {
    slot& s = *slots_.at(name);
    tell_(fmt::format("{}: {}", name, to_string(what)));
    ailing_.erase(name);
    if (s.in.give(what)) return true;
    backend::pcie_device* const device = device_list_.find(s.address);
    if (what == drive_fault::removed) {
        if (device != nullptr) device->report_loss(backend::loss_cause::removed);
        return true;
    }
    if (what != drive_fault::arrival) return false;
    if (device != nullptr) device->arrived();
    return true;
}

void sim_pcie_slots::heal_all() {
    for (const auto& [name, s] : slots_) heal(name);
}

void sim_pcie_slots::on_drive_event(const backend::pcie_options& which, drive_occurrence what,
                                    backend::loss_cause cause, std::string_view detail) noexcept {
    tell_(fmt::format("{}: {} {} {}", which.name, to_string(what), to_string(cause), detail));
    slot& s = *slots_.at(which.name);
    if (what == drive_occurrence::lost) {
        ++losses_;
        if (++s.told != 1) checker_.complain(which.name + ": a second loss of one incarnation");
    }
    if (what != drive_occurrence::released) return;
    s.told = 0;
    if (s.in.drive().is_open() && !s.open_before)
        checker_.complain(which.name + " is released, and open");
    if (s.ledger.lent() != 0) checker_.complain(which.name + " is released, and has operations");
}

// --- rest ----------------------------------------------------------------------------------------

std::size_t sim_pcie_slots::lent() const {
    std::size_t all = 0;
    for (const auto& [name, s] : slots_) all += s->ledger.lent();
    return all;
}

bool sim_pcie_slots::quiet() const {
    if (!jobs_.idle() || !ailing_.empty() || lent() != 0) return false;
    return std::none_of(slots_.begin(), slots_.end(),
                        [](const auto& each) { return each.second->in.drive().is_open(); });
}

void sim_pcie_slots::expect_quiet() const {
    EXPECT_TRUE(jobs_.idle()) << "a job of a drive does not end";
    for (const auto& [name, s] : slots_) {
        EXPECT_FALSE(s->in.drive().is_open()) << name << " is not given back";
        EXPECT_EQ(s->ledger.lent(), 0u) << name << " has operations";
        EXPECT_EQ(s->in.drive().bad_dma(), 0u) << name << " reached memory that is not lent";
    }
}

}  // namespace fulmar::sim
