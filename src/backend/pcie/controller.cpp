#include "controller.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/namespace_ids.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace fulmar::backend::pcie {

namespace {

constexpr std::uint32_t page_bytes = 4096;
constexpr unsigned most_block_bits = 12;
// Above, no command reaches it: 2^16 blocks of 4 KiB.
constexpr unsigned most_limit_shift = 16;
// As Linux: some older drives take offence at an Identify that they do not know.
constexpr std::uint32_t first_with_limits = nvme::make_version(1, 2, 0);

error gone() {
    return {errc::io_error, "the drive does not answer: its registers read as if it were gone"};
}

error no_namespace(std::uint32_t nsid) {
    return {errc::not_found, fmt::format("the drive has no namespace {}", nsid), "/drive_nsid",
            "nvme list-ns says which it has"};
}

template <std::size_t N>
std::string trimmed(const std::array<char, N>& padded) {
    std::string text(padded.begin(), padded.end());
    text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
    const std::size_t end = text.find_last_not_of(' ');
    text.resize(end == std::string::npos ? 0 : end + 1);
    const std::size_t begin = text.find_first_not_of(' ');
    return begin == std::string::npos ? std::string() : text.substr(begin);
}

template <typename Structure>
Structure parse_page(std::span<const std::byte> page) noexcept {
    static_assert(sizeof(Structure) == nvme::identify_bytes);
    Structure out;
    std::memcpy(&out, page.data(), sizeof out);
    return out;
}

}  // namespace

std::string_view to_string(controller_state state) noexcept {
    switch (state) {
        case controller_state::off: return "off";
        case controller_state::disabling: return "disabling";
        case controller_state::enabling: return "enabling";
        case controller_state::identifying: return "identifying";
        case controller_state::asking_limits: return "asking for limits";
        case controller_state::switching_cache: return "switching its write cache off";
        case controller_state::checking_cache: return "checking its write cache";
        case controller_state::listing_namespaces: return "listing namespaces";
        case controller_state::identifying_namespace: return "identifying the namespace";
        case controller_state::counting_queues: return "counting queues";
        case controller_state::creating_queues: return "creating queues";
        case controller_state::ready: return "ready";
        case controller_state::shutting_down: return "shutting down";
        case controller_state::failed: return "failed";
    }
    return "?";
}

std::string_view to_string(controller_event event) noexcept {
    switch (event) {
        case controller_event::start: return "start";
        case controller_event::done: return "done";
        case controller_event::stop: return "stop";
        case controller_event::failed: return "failed";
    }
    return "?";
}

std::size_t controller::memory_bytes(const options& opts) noexcept {
    return queue_layout{admin_entries}.total_bytes() +
           opts.io_queues * queue_layout{opts.io_entries}.total_bytes();
}

controller::controller(vfio::mmio_window registers, const queue_memory& memory, const options& opts)
    : registers_(registers), memory_(memory), options_(opts) {}

void controller::start(instant now) { advance(controller_event::start, now); }

void controller::stop(instant now) { advance(controller_event::stop, now); }

void controller::advance(controller_event on, instant now) {
    const auto next = next_state(controller_edges, state_, on);
    FULMAR_ASSERT(next.has_value());
    state_ = *next;
    enter(now);
}

void controller::fail_with(error why, instant now) {
    why_ = std::move(why);
    why_.message = fmt::format("{} (while {})", why_.message, to_string(state_));
    advance(controller_event::failed, now);
}

bool controller::past_deadline(instant now, std::string_view what) {
    if (now < deadline_) return false;
    fail_with({errc::timed_out, fmt::format("the drive did not {} in time", what)}, now);
    return true;
}

void controller::enter(instant now) {
    deadline_ = now + admin_timeout;
    switch (state_) {
        case controller_state::disabling: return begin_disabling(now);
        case controller_state::enabling: return begin_enabling(now);
        case controller_state::identifying: return send_identify(nvme::cns::controller, 0, now);
        case controller_state::asking_limits:
            if (version_ < first_with_limits) return advance(controller_event::done, now);
            return send_identify(nvme::cns::command_set_controller, 0, now);
        case controller_state::switching_cache: return switch_cache(now);
        case controller_state::checking_cache: return check_cache(now);
        case controller_state::listing_namespaces:
            return send_identify(nvme::cns::active_namespaces, 0, now);
        case controller_state::identifying_namespace: return identify_next_namespace(now);
        case controller_state::counting_queues: {
            nvme::sqe command{};
            command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::set_features);
            const nvme::queue_counts wanted{.submission = options_.io_queues,
                                            .completion = options_.io_queues};
            nvme::encode_set_features(
                command, {.fid = static_cast<std::uint8_t>(nvme::fid::number_of_queues),
                          .cdw11 = wanted.pack()});
            return send(command, false, now);
        }
        case controller_state::creating_queues: return send_next_queue(now);
        case controller_state::shutting_down: {
            auto cc = nvme::controller_configuration::unpack(
                registers_.read32(nvme::register_offset::cc));
            cc.shn = nvme::shutdown_notification::normal;
            registers_.write32(nvme::register_offset::cc, cc.pack());
            deadline_ =
                now + std::clamp<duration>(std::chrono::milliseconds(description_.shutdown_ms),
                                           least_shutdown_timeout, most_shutdown_timeout);
            return;
        }
        case controller_state::off:
        case controller_state::ready:
        case controller_state::failed: return;
    }
}

bool controller::step(instant now) {
    switch (state_) {
        case controller_state::off:
        case controller_state::ready:
        case controller_state::failed: return false;
        case controller_state::disabling: wait_ready(false, now); break;
        case controller_state::enabling: wait_ready(true, now); break;
        case controller_state::shutting_down: wait_shutdown(now); break;
        case controller_state::identifying:
        case controller_state::asking_limits:
        case controller_state::switching_cache:
        case controller_state::checking_cache:
        case controller_state::listing_namespaces:
        case controller_state::identifying_namespace:
        case controller_state::counting_queues:
        case controller_state::creating_queues: reap_answer(now); break;
    }
    return state_ != controller_state::off && state_ != controller_state::ready &&
           state_ != controller_state::failed;
}

// --- registers -----------------------------------------------------------------------------------

result<void> controller::read_capabilities() {
    version_ = registers_.read32(nvme::register_offset::vs);
    if (version_ == 0 || version_ == nvme::register_all_ones) return tl::unexpected(gone());
    caps_ = nvme::capabilities::unpack(registers_.read64(nvme::register_offset::cap));
    if ((caps_.css & nvme::cap_css::nvm) == 0 && (caps_.css & nvme::cap_css::io_command_sets) == 0)
        return fail(errc::not_supported, "the drive does not speak the NVM command set");
    if (caps_.mpsmin != 0)
        return fail(errc::not_supported, "the drive wants memory pages larger than 4 KiB");
    const std::uint32_t last_doorbell =
        nvme::cq_doorbell_offset(static_cast<std::uint16_t>(options_.io_queues), caps_.dstrd);
    if (last_doorbell + sizeof(std::uint32_t) > registers_.size())
        return fail(errc::not_supported, "the drive's registers do not hold that many doorbells");
    options_.io_entries = std::bit_floor(std::min(options_.io_entries, caps_.mqes + 1u));
    if (options_.io_entries < 2)
        return fail(errc::not_supported, "the drive's queues have no room for a command");
    return {};
}

void controller::begin_disabling(instant now) {
    if (auto read = read_capabilities(); !read) return fail_with(read.error(), now);
    deadline_ = now + std::max<duration>(std::chrono::milliseconds(caps_.timeout_ms()),
                                         least_ready_timeout);
    auto cc = nvme::controller_configuration::unpack(registers_.read32(nvme::register_offset::cc));
    cc.en = false;
    cc.shn = nvme::shutdown_notification::none;
    registers_.write32(nvme::register_offset::cc, cc.pack());
}

void controller::begin_enabling(instant now) {
    duration limit = std::chrono::milliseconds(caps_.timeout_ms());
    if (caps_.crwms) {
        const auto crto =
            nvme::ready_timeouts::unpack(registers_.read32(nvme::register_offset::crto));
        limit = std::max<duration>(limit, std::chrono::milliseconds(crto.crwmt * 500));
    }
    deadline_ = now + std::max<duration>(limit, least_ready_timeout);
    admin_ = std::make_unique<queue_pair>(std::uint16_t{0}, admin_entries, memory_, registers_,
                                          caps_.dstrd);
    registers_.write32(nvme::register_offset::aqa,
                       nvme::admin_queue_attributes(admin_entries, admin_entries));
    registers_.write64(nvme::register_offset::asq, admin_->sq_address());
    registers_.write64(nvme::register_offset::acq, admin_->cq_address());
    nvme::controller_configuration cc{};
    cc.en = true;
    // With more than one command set each namespace is asked which one it speaks.
    description_.command_sets = (caps_.css & nvme::cap_css::io_command_sets) != 0;
    cc.css = description_.command_sets ? nvme::cc_css::all_supported : nvme::cc_css::nvm;
    cc.iosqes = nvme::io_sq_entry_size_log2;
    cc.iocqes = nvme::io_cq_entry_size_log2;
    registers_.write32(nvme::register_offset::cc, cc.pack());
}

void controller::wait_ready(bool wanted, instant now) {
    const std::uint32_t raw = registers_.read32(nvme::register_offset::csts);
    if (raw == nvme::register_all_ones) return fail_with(gone(), now);
    const auto status = nvme::controller_status::unpack(raw);
    if (wanted && status.cfs)
        return fail_with({errc::io_error, "the drive reports a fatal error"}, now);
    if (status.rdy == wanted) return advance(controller_event::done, now);
    static_cast<void>(past_deadline(now, wanted ? "become ready" : "stop"));
}

void controller::wait_shutdown(instant now) {
    const std::uint32_t raw = registers_.read32(nvme::register_offset::csts);
    if (raw == nvme::register_all_ones) return fail_with(gone(), now);
    if (nvme::controller_status::unpack(raw).shst == nvme::shutdown_status::complete)
        return advance(controller_event::done, now);
    static_cast<void>(past_deadline(now, "shut down"));
}

// --- admin commands ------------------------------------------------------------------------------

void controller::send(nvme::sqe command, bool with_page, instant now) {
    deadline_ = now + admin_timeout;
    asked_slot_ = admin_->take_slot(this);
    if (asked_slot_ == queue_pair::no_slot)
        return fail_with({errc::internal, "the admin queue is full"}, now);
    if (with_page) {
        std::ranges::fill(admin_->page_of(asked_slot_), std::byte{});
        command.set_prps(admin_->list_of(asked_slot_).address, 0);
    }
    admin_->submit(command, asked_slot_);
    admin_->ring();
}

void controller::send_identify(nvme::cns what, std::uint32_t nsid, instant now) {
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::identify);
    command.nsid = nsid;
    nvme::encode_identify(command, {.cns = static_cast<std::uint8_t>(what)});
    send(command, true, now);
}

void controller::send_next_queue(instant now) {
    if (next_queue_ == options_.io_queues) return advance(controller_event::done, now);
    const auto qid = static_cast<std::uint16_t>(next_queue_ + 1);
    nvme::sqe command{};
    if (!cq_created_) {
        const std::size_t offset = queue_layout{admin_entries}.total_bytes() +
                                   next_queue_ * queue_layout{options_.io_entries}.total_bytes();
        queues_.push_back(std::make_unique<queue_pair>(
            qid, options_.io_entries, queue_memory{memory_.base + offset, memory_.address + offset},
            registers_, caps_.dstrd));
        const bool interrupts = qid < options_.vectors;
        nvme::encode_create_cq(command, qid, options_.io_entries, queues_.back()->cq_address(),
                               interrupts, interrupts ? qid : std::uint16_t{0});
    } else {
        nvme::encode_create_sq(command, qid, options_.io_entries, queues_.back()->sq_address(),
                               qid);
    }
    send(command, false, now);
}

void controller::reap_answer(instant now) {
    while (admin_->has_completion()) {
        const queue_pair::reaped answer = admin_->take_completion();
        admin_->release_entries(true);
        if (answer.owner == nullptr) continue;  // it fits no command: nothing was said
        if (!nvme::is_success(answer.status) && may_refuse())
            return advance(controller_event::done, now);
        if (!nvme::is_success(answer.status))
            return fail_with({errc::io_error,
                              fmt::format("the drive refuses: {}", nvme::describe(answer.status))},
                             now);
        return answered(answer, now);
    }
    if (registers_.read32(nvme::register_offset::csts) == nvme::register_all_ones)
        return fail_with(gone(), now);
    static_cast<void>(past_deadline(now, "answer"));
}

// Limits are told by newer drives only; one that does not know the question has none to tell.
bool controller::may_refuse() const noexcept { return state_ == controller_state::asking_limits; }

// Not saved: the drive is as it was for whoever has it next.
void controller::switch_cache(instant now) {
    if (!options_.write_through || !description_.volatile_write_cache)
        return advance(controller_event::done, now);
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::set_features);
    nvme::encode_set_features(
        command, {.fid = static_cast<std::uint8_t>(nvme::fid::volatile_write_cache), .cdw11 = 0});
    send(command, false, now);
}

void controller::check_cache(instant now) {
    if (!options_.write_through || !description_.volatile_write_cache)
        return advance(controller_event::done, now);
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::get_features);
    nvme::encode_get_features(command,
                              {.fid = static_cast<std::uint8_t>(nvme::fid::volatile_write_cache)});
    send(command, false, now);
}

// The slot is free, and its page as it was until the next command.
void controller::answered(const queue_pair::reaped& answer, instant now) {
    const std::span<const std::byte> page = admin_->page_of(answer.slot);
    result<void> read{};
    switch (state_) {
        case controller_state::identifying: read = read_controller(page); break;
        case controller_state::asking_limits: read_limits(page); break;
        case controller_state::switching_cache: break;
        case controller_state::checking_cache:
            if ((answer.dw0 & nvme::volatile_write_cache_enable) != 0)
                read = fail(errc::not_supported, "the drive's write cache stays on", "/write_cache",
                            "use the write cache: \"device\"");
            else
                description_.volatile_write_cache = false;
            break;
        case controller_state::listing_namespaces: read = read_namespace_list(page); break;
        case controller_state::identifying_namespace: return namespace_answered(page, now);
        case controller_state::counting_queues: {
            const auto counts = nvme::queue_counts::unpack(answer.dw0);
            const std::uint32_t granted = std::min(counts.submission, counts.completion);
            if (granted < options_.io_queues)
                read = fail(errc::not_supported,
                            fmt::format("the drive grants {} I/O queues, {} data cores need one "
                                        "each",
                                        granted, options_.io_queues),
                            "/cores/data", "use fewer data cores");
            break;
        }
        case controller_state::creating_queues:
            if (cq_created_) ++next_queue_;
            cq_created_ = !cq_created_;
            return send_next_queue(now);
        case controller_state::off:
        case controller_state::disabling:
        case controller_state::enabling:
        case controller_state::ready:
        case controller_state::shutting_down:
        case controller_state::failed: return;
    }
    if (!read) return fail_with(read.error(), now);
    advance(controller_event::done, now);
}

// --- what the drive is ---------------------------------------------------------------------------

result<void> controller::read_controller(std::span<const std::byte> page) {
    const auto id = parse_page<nvme::identify_controller>(page);
    description_.serial = trimmed(id.sn);
    description_.model = trimmed(id.mn);
    description_.firmware = trimmed(id.fr);
    description_.oncs = id.oncs.value();
    description_.atomic_blocks = id.awun.value() + 1u;  // 0-based
    description_.power_fail_atomic_blocks = id.awupf.value() + 1u;
    description_.volatile_write_cache = (id.vwc & nvme::vwc::present) != 0;
    const std::uint32_t sgls = id.sgls.value() & 3u;
    description_.sgl = sgls == nvme::sgls::supported || sgls == nvme::sgls::dword_aligned;
    description_.sgl_dword_aligned = sgls == nvme::sgls::dword_aligned;
    description_.shutdown_ms = id.rtd3e_us.value() / 1000;
    description_.oaes = id.oaes.value();
    description_.abort_limit = id.acl + 1u;
    description_.event_limit = id.aerl + 1u;
    constexpr unsigned most_shift = std::countr_zero(max_transfer_bytes / page_bytes);
    description_.max_transfer_bytes =
        id.mdts == 0 || id.mdts > most_shift ? max_transfer_bytes : page_bytes << id.mdts;
    return {};
}

void controller::read_limits(std::span<const std::byte> page) noexcept {
    const auto told = parse_page<nvme::identify_nvm_controller>(page);
    const auto bytes = [](std::uint8_t shift) noexcept {  // as MDTS
        return shift == 0 || shift > most_limit_shift ? 0 : std::uint64_t{page_bytes} << shift;
    };
    description_.limits = {.verify_bytes = bytes(told.vsl),
                           .write_zeroes_bytes = bytes(told.wzsl),
                           .write_uncorrectable_bytes = bytes(told.wusl),
                           .deallocate_ranges = told.dmrl,
                           .deallocate_range_blocks = told.dmrsl.value(),
                           .deallocate_blocks = told.dmsl.value()};
}

// What is not in the list is inactive; others of the drive may be used all the same.
result<void> controller::read_namespace_list(std::span<const std::byte> page) {
    const auto list = parse_page<nvme::namespace_list>(page);
    description_.first_nsid = list.nsid[0].value();
    if (description_.first_nsid == 0)
        return fail(errc::not_supported, "the drive has no namespace");
    for (const std::uint32_t wanted : options_.wanted_nsids) {
        namespace_description& one = description_.namespaces.emplace_back();
        one.nsid = wanted == 0 ? description_.first_nsid : wanted;
        const bool there = std::any_of(list.nsid.begin(), list.nsid.end(),
                                       [&](const nvme::le32& n) { return n.value() == one.nsid; });
        if (!there) one.unusable = no_namespace(one.nsid);
    }
    return {};
}

void controller::identify_next_namespace(instant now) {
    auto& all = description_.namespaces;
    while (next_namespace_ < all.size() && all[next_namespace_].unusable) ++next_namespace_;
    if (next_namespace_ < all.size()) {
        const bool knows_set = command_set_read_ || !description_.command_sets;
        return send_identify(
            knows_set ? nvme::cns::namespace_data : nvme::cns::namespace_descriptors,
            all[next_namespace_].nsid, now);
    }
    const auto usable =
        std::find_if(all.begin(), all.end(), [](const auto& one) { return !one.unusable; });
    if (usable == all.end()) return fail_with(*all.front().unusable, now);
    advance(controller_event::done, now);
}

void controller::namespace_answered(std::span<const std::byte> page, instant now) {
    namespace_description& one = description_.namespaces[next_namespace_];
    if (!command_set_read_ && description_.command_sets) {
        command_set_read_ = true;
        if (auto read = read_command_set(one.nsid, page); !read) {
            one.unusable = std::move(read).error();
            command_set_read_ = false;
        }
        return identify_next_namespace(now);
    }
    command_set_read_ = false;
    ++next_namespace_;
    auto read = read_namespace(one.nsid, parse_page<nvme::identify_namespace>(page));
    if (read)
        one = std::move(*read);
    else
        one.unusable = std::move(read).error();
    identify_next_namespace(now);
}

result<void> read_command_set(std::uint32_t nsid, std::span<const std::byte> page) {
    const nvme::csi set = nvme::read_namespace_ids(page).command_set.value_or(nvme::csi::nvm);
    if (set == nvme::csi::nvm) return {};
    return fail(errc::not_supported,
                fmt::format("namespace {} of the drive: {} (CSI {}) is not supported", nsid,
                            set == nvme::csi::zoned       ? "zoned namespace"
                            : set == nvme::csi::key_value ? "key value namespace"
                                                          : "its command set",
                            static_cast<unsigned>(set)),
                "/drive_nsid", "name a namespace of the NVM command set");
}

result<namespace_description> read_namespace(std::uint32_t nsid,
                                             const nvme::identify_namespace& ns) {
    if (ns.nsze.value() == 0) return tl::unexpected(no_namespace(nsid));
    const unsigned index =
        (ns.flbas & nvme::flbas::format_mask) | (ns.flbas & nvme::flbas::format_high_mask) >> 1u;
    const nvme::lba_format format = ns.lbaf[index & 63u];
    if (format.ms.value() != 0)
        return fail(errc::not_supported, "the drive is formatted with metadata", {},
                    "format it without: nvme format --ms=0");
    if (format.lbads != 9 && format.lbads != most_block_bits)
        return fail(errc::not_supported,
                    fmt::format("the drive has blocks of 2^{} bytes", format.lbads), {},
                    "format it with blocks of 512 or 4096 bytes");
    if (ns.nsze.value() > (UINT64_MAX >> most_block_bits))
        return fail(errc::not_supported, "the drive's namespace has an impossible size");
    namespace_description out;
    out.nsid = nsid;
    out.block_bytes = 1u << format.lbads;
    out.block_count = ns.nsze.value();
    out.nguid = ns.nguid;
    out.eui64 = ns.eui64;
    out.optimal_io_blocks = ns.noiob.value();
    out.deallocated_reads_zero = (ns.dlfeat & 7u) == nvme::dlfeat::reads_zero;
    if ((ns.nsfeat & nvme::nsfeat::optimal_io) != 0) {  // 0-based
        out.write_granularity_blocks = ns.npwg.value() + 1u;
        out.deallocate_granularity_blocks = ns.npdg.value() + 1u;
        out.optimal_write_blocks = ns.nows.value() + 1u;
    }
    if ((ns.nsfeat & nvme::nsfeat::atomic_fields) != 0) {  // 0-based
        out.atomic_blocks = ns.nawun.value() + 1u;
        out.power_fail_atomic_blocks = ns.nawupf.value() + 1u;
    }
    // A write across a boundary is not atomic, and hosts are told of none.
    if (ns.nabsn.value() != 0 || ns.nabspf.value() != 0)
        out.atomic_blocks = out.power_fail_atomic_blocks = 1;
    if (ns.mssrl.value() != 0 && ns.mcl.value() != 0)
        out.copy = {.ranges = std::min<std::uint32_t>(ns.msrc + 1u, limits::max_copy_ranges),
                    .range_blocks = ns.mssrl.value(),
                    .blocks = ns.mcl.value()};
    return out;
}

}  // namespace fulmar::backend::pcie
