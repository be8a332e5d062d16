// What a drive says of its namespaces and of itself, and the devices that stand on it.
#include "command.hpp"
#include "drive.hpp"

#include <fulmar/base/log.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::backend::pcie {

namespace {

template <std::size_t N>
bool names_something(const std::array<std::uint8_t, N>& id) noexcept {
    return std::any_of(id.begin(), id.end(), [](std::uint8_t byte) { return byte != 0; });
}

}  // namespace

// --- devices -------------------------------------------------------------------------------------

result<drive_namespace*> drive::join(std::uint32_t wanted_nsid, drive_listener& listener) {
    if (namespaces_.size() == most_namespaces)
        return fail(errc::limit_reached, fmt::format("{} devices stand on the drive at {} already",
                                                     most_namespaces, options_.address.text()));
    for (const auto& ns : namespaces_)
        if (ns->wanted_nsid == wanted_nsid)
            return fail(errc::conflict,
                        fmt::format("another device stands on this namespace of the drive at {}",
                                    options_.address.text()),
                        "/drive_nsid", "one namespace of a drive backs one device");
    auto made = std::make_unique<drive_namespace>();
    made->wanted_nsid = wanted_nsid;
    made->listener = &listener;
    made->reason = "the drive has not been asked for it yet";
    made->identity.claim = "pci:" + options_.address.text();
    if (wanted_nsid != 0) made->identity.claim += fmt::format("/{}", wanted_nsid);
    namespaces_.push_back(std::move(made));
    if (serves()) look_at(*namespaces_.back());
    return namespaces_.back().get();
}

void drive::leave(drive_namespace& which) noexcept {
    std::erase_if(namespaces_, [&](const auto& ns) { return ns.get() == &which; });
    if (namespaces_.empty()) apply({.what = drive_message::retire});
}

void drive::look_at(drive_namespace& which) noexcept {
    if (serves()) admin_.identify_namespace(nsid_of(which));
}

std::uint32_t drive::nsid_of(const drive_namespace& ns) const noexcept {
    return ns.wanted_nsid != 0 ? ns.wanted_nsid : session_->view().description.first_nsid;
}

// --- is it the one that was here? ----------------------------------------------------------------

// A drive is known by model and serial, its namespaces by their ids; all-zero ids say nothing.
result<void> drive::recognise(const drive_description& found) const {
    const auto other = [&](const std::string& expected) {
        return fail(errc::conflict,
                    fmt::format("another drive is at {}: serial {}, expected {}",
                                options_.address.text(), found.serial, expected),
                    {}, "put the right one in, or delete this device and create another");
    };
    if (environment_.filter != nullptr &&
        !environment_.filter->allows(options_.address, found.serial, found.model))
        return fail(errc::conflict,
                    fmt::format("the configuration does not allow {} {} at {}", found.model,
                                found.serial, options_.address.text()),
                    {}, "see /drives/allow there");
    if (!options_.serial.empty() && found.serial != options_.serial) return other(options_.serial);
    if (known_ && (found.serial != known_->serial || found.model != known_->model))
        return other(known_->serial);
    return {};
}

result<void> drive::recognise(const drive_namespace& ns, const namespace_description& found) const {
    if (!ns.known) return {};
    bool same = found.nsid == ns.view.nsid && found.block_bytes == ns.geometry.block_bytes;
    if (names_something(ns.identity.nguid)) same = same && found.nguid == ns.identity.nguid;
    if (names_something(ns.identity.eui64)) same = same && found.eui64 == ns.identity.eui64;
    if (same) return {};
    return fail(errc::conflict,
                fmt::format("namespace {} of the drive at {} is not the one that was there",
                            found.nsid, options_.address.text()),
                {}, "delete this device and create another");
}

// All but letting operations in.
result<void> drive::take(drive_namespace& ns, const namespace_description& found) {
    if (found.unusable) return tl::unexpected(*found.unusable);
    for (const auto& other : namespaces_)
        if (other.get() != &ns && other->known && other->view.nsid == found.nsid)
            return fail(errc::conflict,
                        fmt::format("another device stands on namespace {} of the drive at {}",
                                    found.nsid, options_.address.text()),
                        "/drive_nsid", "one namespace of a drive backs one device");
    FULMAR_CHECK(recognise(ns, found));
    const drive_description& about = session_->view().description;
    // No reactor has a queue, or nothing has changed, or nobody was let in before.
    if (ns.view.nsid != found.nsid) ns.view.nsid = found.nsid;
    if (ns.view.block_bytes != found.block_bytes) ns.view.block_bytes = found.block_bytes;
    ns.view.block_count.store(found.block_count, std::memory_order_relaxed);
    ns.identity.serial = about.serial;
    ns.identity.model = about.model;
    ns.identity.nguid = found.nguid;
    ns.identity.eui64 = found.eui64;
    const atomic_limits atomic = atomic_limits_of(found, about);
    // Read on any thread: while the drive serves, nothing but the size changes, in the view.
    if (!ns.known || !serves())
        ns.geometry = {.block_bytes = found.block_bytes,
                       .block_count = found.block_count,
                       .volatile_write_cache = about.volatile_write_cache,
                       .deallocate = (about.oncs & nvme::oncs::dataset_management) != 0,
                       .deallocated_reads_zero = found.deallocated_reads_zero,
                       .write_zeroes = (about.oncs & nvme::oncs::write_zeroes) != 0,
                       .compare = (about.oncs & nvme::oncs::compare) != 0,
                       .verify = (about.oncs & nvme::oncs::verify) != 0,
                       .write_uncorrectable = (about.oncs & nvme::oncs::write_uncorrectable) != 0,
                       .copy = (about.oncs & nvme::oncs::copy) != 0 ? found.copy : copy_bounds{},
                       .optimal_io_blocks = found.optimal_io_blocks,
                       .write_granularity_blocks = found.write_granularity_blocks,
                       .deallocate_granularity_blocks = found.deallocate_granularity_blocks,
                       .optimal_write_blocks = found.optimal_write_blocks,
                       .atomic_blocks = atomic.blocks,
                       .power_fail_atomic_blocks = atomic.power_fail_blocks};
    ns.known = true;
    if (ns.where == presence::missing) ns.advance(presence_event::find);
    ns.reason.clear();
    return {};
}

// One that can be used is enough for the drive; the first reason is for the others.
result<void> drive::take_all(const drive_description& found) {
    std::optional<error> why;
    bool any = false;
    for (const auto& ns : namespaces_) {
        const auto& wanted = session_->wanted();
        const auto at = std::find(wanted.begin(), wanted.end(), ns->wanted_nsid);
        if (at == wanted.end()) {  // it joined meanwhile: all_linked() asks for it
            ns->reason = "the drive has not been asked for it yet";
            any = true;
            continue;
        }
        if (auto taken = take(*ns, found.namespaces[static_cast<std::size_t>(at - wanted.begin())]);
            !taken) {
            ns->reason = taken.error().text();
            if (ns->where != presence::missing) ns->advance(presence_event::withdraw);
            if (!why) why = taken.error();
        } else {
            any = true;
        }
    }
    if (any || !why) return {};
    return tl::unexpected(*why);
}

// A drive that lost its cache has what was flushed, and may lack what was only acknowledged. A
// Flush from now on would say that this is durable too.
bool drive::may_open(drive_namespace& ns) noexcept {
    if (ns.cache_gone && ns.view.ledger.owes()) {
        const std::string reason =
            "the drive was away, and acknowledged writes that no Flush had covered may have gone "
            "with its write cache; reopening the device accepts that";
        if (!ns.listener->on_drive_back_without_data(reason)) {
            ns.reason = reason;
            refuse(reason);
            return false;
        }
    }
    if (ns.cache_gone) ns.view.ledger.settle();
    ns.cache_gone = false;
    return true;
}

bool drive::accept_loss(drive_namespace& which) noexcept {
    which.view.ledger.settle();
    which.cache_gone = false;
    if (serves() && which.where == presence::found) {
        which.reason.clear();
        open(which);
    }
    return which.where == presence::open;
}

void drive::open(drive_namespace& ns) noexcept {
    if (!may_open(ns)) return;
    ns.view.lost.store(false, std::memory_order_release);
    ns.advance(presence_event::open);
    log::info("namespace {} of drive {} is ready: {} MiB", ns.view.nsid, options_.address.text(),
              ns.view.block_count.load(std::memory_order_relaxed) * ns.view.block_bytes >> 20);
    ns.listener->on_drive_ready();
}

// What is at the drive is answered when the drive answers; nothing more goes to it.
void drive::withdraw(drive_namespace& ns, std::string reason) noexcept {
    ns.view.lost.store(true, std::memory_order_release);
    ns.reason = std::move(reason);
    const presence before = ns.where;
    if (before != presence::missing) ns.advance(presence_event::withdraw);
    if (before != presence::open) return;
    log::warn("drive {} at {}: {}", options_.name, options_.address.text(), ns.reason);
    ns.listener->on_drive_lost(ns.reason);
}

// --- what it says --------------------------------------------------------------------------------

void drive::on_namespaces_changed() noexcept {
    for (const auto& ns : namespaces_) look_at(*ns);
}

void drive::on_namespace(std::uint32_t nsid, const nvme::identify_namespace& page,
                         const result<void>& set) noexcept {
    for (std::size_t i = 0; i < namespaces_.size() && serves(); ++i) {
        drive_namespace& ns = *namespaces_[i];
        if (nsid_of(ns) != nsid) continue;
        const std::uint64_t before = ns.view.block_count.load(std::memory_order_relaxed);
        auto taken =
            set ? read_namespace(nsid, page).and_then([&](const namespace_description& found) {
                return take(ns, found);
            })
                : set;
        if (!taken)
            withdraw(ns, taken.error().text());
        else if (ns.where != presence::open)
            open(ns);
        else if (ns.view.block_count.load(std::memory_order_relaxed) != before)
            ns.listener->on_drive_resized();
    }
}

void drive::on_smart(const nvme::smart_log& page) noexcept {
    const unsigned before = health_ ? health_->critical_warning : 0u;
    const std::uint64_t errors_before = health_ ? health_->error_log_entries : 0;
    health_ = drive_health{{.critical_warning = page.critical_warning,
                            .temperature_kelvin = page.temperature_kelvin.value(),
                            .available_spare_percent = page.available_spare_percent,
                            .spare_threshold_percent = page.spare_threshold_percent,
                            .used_percent = page.used_percent,
                            .media_errors = page.media_errors.low.value()},
                           page.power_on_hours.low.value(),
                           page.unsafe_shutdowns.low.value(),
                           page.error_log_entries.low.value()};
    for (const auto& ns : namespaces_) ns->view.health.show(*health_);
    if ((page.critical_warning & ~before) != 0)
        log::warn("drive {} at {}: {}", options_.name, options_.address.text(), warning());
    if (health_->error_log_entries != errors_before) admin_.read_errors();
}

std::string drive::warning() const {
    if (!health_ || health_->critical_warning == 0) return {};
    constexpr std::array<std::string_view, 6> bits{
        "little spare is left",          "the temperature is out of bounds",
        "it has become unreliable",      "it takes no more writes",
        "its cache has lost its backup", "its persistent memory is unreliable"};
    std::string text;
    for (std::size_t i = 0; i < bits.size(); ++i)
        if ((health_->critical_warning >> i & 1) != 0)
            text += fmt::format("{}{}", text.empty() ? "" : ", ", bits[i]);
    return fmt::format("the drive warns: {} ({} K, {} % spare of at least {} %, {} % used)", text,
                       health_->temperature_kelvin, health_->available_spare_percent,
                       health_->spare_threshold_percent, health_->used_percent);
}

void drive::on_errors(std::span<const nvme::error_log_entry> entries) noexcept {
    errors_.clear();
    for (const nvme::error_log_entry& e : entries) {
        if (e.error_count.value() == 0) continue;
        errors_.push_back({.number = e.error_count.value(),
                           .qid = e.sqid.value(),
                           .lba = e.lba.value(),
                           .nsid = e.nsid.value(),
                           .status = nvme::status::from_field(e.status_field.value())});
    }
}

}  // namespace fulmar::backend::pcie
