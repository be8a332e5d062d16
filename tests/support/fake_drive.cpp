#include "fake_drive.hpp"

#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/namespace_ids.hpp>
#include <fulmar/nvme/pci_registers.hpp>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace fulmar::test {

namespace sc = nvme::sc;
using nvme::register_offset::aqa;

namespace {
// Never a virtual address: a driver that forgets to translate is found out.
constexpr std::uint64_t iova_shift = std::uint64_t{1} << 52;
constexpr unsigned interrupts = 16;
}  // namespace

/// One opening of the drive.
class fake_access final : public vfio::drive_access {
  public:
    explicit fake_access(fake_drive& d) : drive_(d) {
        for (int& fd : interrupts_) fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        removal_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        error_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        registers_ = static_cast<std::byte*>(::mmap(nullptr, fake_drive::register_bytes,
                                                    PROT_READ | PROT_WRITE,
                                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    }
    ~fake_access() override {
        let_go();
        for (const int fd : interrupts_) ::close(fd);
        ::close(removal_);
        ::close(error_);
        ::munmap(registers_, fake_drive::register_bytes);
    }
    fake_access(const fake_access&) = delete;
    fake_access& operator=(const fake_access&) = delete;

    result<void> open(std::uint32_t) override {
        drive_.reach_moment(fake_drive::moment::opening);
        const std::lock_guard guard(drive_.lock_);
        if (!drive_.present_) return fail(errc::not_found, "there is no drive");
        if (drive_.user_ != nullptr) return fail(errc::conflict, "the drive is open");
        drive_.user_ = this;
        drive_.registers_ = registers_;
        ++drive_.openings_;
        drive_.power_on();
        drive_.bus_master_ = true;
        return {};
    }
    result<std::uint64_t> map(std::span<std::byte> memory) override {
        const std::lock_guard guard(drive_.lock_);
        const std::uint64_t address = reinterpret_cast<std::uintptr_t>(memory.data()) + iova_shift;
        drive_.mappings_.push_back({memory.data(), memory.size(), address});
        return address;
    }
    vfio::mmio_window registers() const noexcept override {
        return {registers_, fake_drive::register_bytes};
    }
    int interrupt_fd(std::uint32_t vector) const noexcept override {
        return vector < interrupts ? interrupts_[vector] : -1;
    }
    vfio::interrupt_mask interrupt_mask(std::uint32_t vector) const noexcept override {
        return {{registers_ + fake_drive::msix_table, interrupts * 16}, vector};
    }
    int removal_fd() const noexcept override { return removal_; }
    int error_fd() const noexcept override { return error_; }
    bool silence() noexcept override {
        drive_.reach_moment(fake_drive::moment::silencing);
        const std::lock_guard guard(drive_.lock_);
        if (drive_.user_ != this) return true;
        if (drive_.silent_) return false;
        drive_.bus_master_ = false;
        drive_.registers_ = nullptr;
        return true;
    }
    void cut() noexcept override {
        drive_.reach_moment(fake_drive::moment::cutting);
        const std::lock_guard guard(drive_.lock_);
        if (drive_.user_ == this) drive_.mappings_.clear();
    }
    void close() noexcept override {
        drive_.reach_moment(fake_drive::moment::closing);
        let_go();
    }
    void let_go() noexcept {
        const std::lock_guard guard(drive_.lock_);
        if (drive_.user_ != this) return;
        drive_.mappings_.clear();
        drive_.user_ = nullptr;
        drive_.registers_ = nullptr;
    }
    void dismantle() noexcept override {}
    void wait(duration limit) noexcept override {
        if (!drive_.at_moment_) return drive_access::wait(limit);
        drive_.reach_moment(fake_drive::moment::waiting);
    }
    void interrupt(int vector) {
        if (vector >= 0) tell(interrupts_[vector]);
    }
    void request_removal() { tell(removal_); }
    void report_bus_error() { tell(error_); }

  private:
    static void tell(int fd) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t put = ::write(fd, &one, sizeof one);
    }

    fake_drive& drive_;
    int interrupts_[interrupts];
    int removal_;
    int error_;
    std::byte* registers_;
};

class fake_provider final : public vfio::drive_access_provider {
  public:
    explicit fake_provider(fake_drive& d) : drive_(d) {}
    std::unique_ptr<vfio::drive_access> make(const vfio::pci_address&) override {
        return std::make_unique<fake_access>(drive_);
    }
    bool present(const vfio::pci_address&) noexcept override {
        const std::lock_guard guard(drive_.lock_);
        return drive_.present_;
    }
    result<void> take(const vfio::pci_address&) override { return {}; }

  private:
    fake_drive& drive_;
};

fake_drive::fake_drive(options opts, pace how)
    : sim_drive_(std::move(opts)),
      media_(sim_drive_.block_count * sim_drive_.block_bytes),
      namespace_blocks_(sim_drive_.namespaces, sim_drive_.block_count / sim_drive_.namespaces),
      provider_(std::make_unique<fake_provider>(*this)) {
    if (sim_drive_.loses_cache) durable_ = media_;
    if (how == pace::of_its_own)
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

fake_drive::~fake_drive() = default;

// --- knobs ---------------------------------------------------------------------------------------

void fake_drive::hold(bool on) {
    const std::lock_guard guard(lock_);
    holding_ = on;
}
void fake_drive::fail_next(nvme::status with) {
    const std::lock_guard guard(lock_);
    failures_.push_back(with);
}
void fake_drive::swallow(std::uint32_t count) {
    const std::lock_guard guard(lock_);
    swallow_ = count;
}
void fake_drive::ignore_aborts(bool on) {
    const std::lock_guard guard(lock_);
    ignore_aborts_ = on;
}
void fake_drive::ignore_admin(bool on) {
    const std::lock_guard guard(lock_);
    ignore_admin_ = on;
}
void fake_drive::ignore_identify(bool on) {
    const std::lock_guard guard(lock_);
    ignore_identify_ = on;
}
bool fake_drive::is_ignored(const pending& one) const {
    if (one.qid != 0) return false;
    return ignore_admin_ ||
           (ignore_identify_ &&
            one.command.opcode == static_cast<std::uint8_t>(nvme::admin_opcode::identify));
}
std::size_t fake_drive::identifies_ignored() const {
    const std::lock_guard guard(lock_);
    return static_cast<std::size_t>(std::count_if(
        held_.begin(), held_.end(), [this](const pending& one) { return is_ignored(one); }));
}
void fake_drive::raise(nvme::async_event event) {
    const std::lock_guard guard(lock_);
    events_.push_back(event);
}
void fake_drive::set_smart(const nvme::smart_log& log) {
    const std::lock_guard guard(lock_);
    smart_ = log;
}
void fake_drive::add_error(const nvme::error_log_entry& entry) {
    const std::lock_guard guard(lock_);
    errors_.insert(errors_.begin(), entry);
}
void fake_drive::resize_namespace(std::uint32_t nsid, std::uint64_t blocks) {
    const std::lock_guard guard(lock_);
    namespace_blocks_.at(nsid - 1) = blocks;
    changed_.push_back(nsid);
}
void fake_drive::misbehave(mischief how) {
    const std::lock_guard guard(lock_);
    mischief_ = how;
}
void fake_drive::fall_silent(std::uint32_t value) {
    const std::lock_guard guard(lock_);
    silent_ = true;
    held_.clear();
    if (registers_ != nullptr)
        for (std::uint32_t at = 0; at < nvme::doorbell_base; at += 4) put32(at, value);
}
void fake_drive::report_fatal_error() {
    const std::lock_guard guard(lock_);
    if (registers_ != nullptr)
        put32(nvme::register_offset::csts, get32(nvme::register_offset::csts) | 2u);
}
void fake_drive::report_bus_error() {
    const std::lock_guard guard(lock_);
    if (user_ != nullptr) user_->report_bus_error();
}
void fake_drive::never_become_ready(bool on) {
    const std::lock_guard guard(lock_);
    not_ready_ = on;
}
void fake_drive::plug(std::optional<options> sim_drive) {
    const std::lock_guard guard(lock_);
    present_ = sim_drive.has_value();
    lose_power();
    silent_ = false;
    holding_ = false;
    mischief_ = mischief::none;
    if (!sim_drive) return;
    const bool same = sim_drive->serial == sim_drive_.serial;
    if (!same) drawer_[sim_drive_.serial] = std::move(media_);
    sim_drive_ = std::move(*sim_drive);
    namespace_blocks_.assign(sim_drive_.namespaces, sim_drive_.block_count / sim_drive_.namespaces);
    if (!same) media_ = std::move(drawer_[sim_drive_.serial]);
    if (!same) unreadable_.clear();
    media_.resize(sim_drive_.block_count * sim_drive_.block_bytes);
    if (sim_drive_.loses_cache) durable_ = media_;
}
void fake_drive::lose_power() {
    if (sim_drive_.loses_cache) media_ = durable_;
}
void fake_drive::request_removal() {
    const std::lock_guard guard(lock_);
    if (user_ != nullptr) user_->request_removal();
}
std::vector<std::byte> fake_drive::media() const {
    const std::lock_guard guard(lock_);
    return media_;
}
std::vector<nvme::sqe> fake_drive::commands() const {
    const std::lock_guard guard(lock_);
    return commands_;
}
std::uint64_t fake_drive::bad_dma() const {
    const std::lock_guard guard(lock_);
    return bad_dma_;
}
std::uint64_t fake_drive::held() const {
    const std::lock_guard guard(lock_);
    return held_.size();
}
std::uint32_t fake_drive::aborts() const {
    const std::lock_guard guard(lock_);
    return aborts_;
}
std::uint32_t fake_drive::event_requests() const {
    const std::lock_guard guard(lock_);
    return static_cast<std::uint32_t>(event_requests_.size());
}
std::uint64_t fake_drive::interrupts(std::uint32_t vector) const {
    const std::lock_guard guard(lock_);
    return interrupts_.at(vector);
}
std::uint32_t fake_drive::openings() const {
    const std::lock_guard guard(lock_);
    return openings_;
}
bool fake_drive::is_open() const {
    const std::lock_guard guard(lock_);
    return user_ != nullptr;
}
bool fake_drive::was_shut_down() const {
    const std::lock_guard guard(lock_);
    return shut_down_;
}

// --- the controller ------------------------------------------------------------------------------

std::uint32_t fake_drive::get32(std::uint32_t offset) const {
    return __atomic_load_n(reinterpret_cast<const std::uint32_t*>(registers_ + offset),
                           __ATOMIC_ACQUIRE);
}
void fake_drive::put32(std::uint32_t offset, std::uint32_t value) {
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(registers_ + offset), value,
                     __ATOMIC_RELEASE);
}
void fake_drive::put64(std::uint32_t offset, std::uint64_t value) {
    put32(offset, static_cast<std::uint32_t>(value));
    put32(offset + 4, static_cast<std::uint32_t>(value >> 32));
}

void fake_drive::power_on() {
    for (std::uint32_t at = 0; at < register_bytes; at += 4) put32(at, 0);
    nvme::capabilities can{.mqes = 1023, .to = 2};
    if (sim_drive_.zoned_nsid != 0) can.css = nvme::cap_css::nvm | nvme::cap_css::io_command_sets;
    put64(nvme::register_offset::cap, can.pack());
    put32(nvme::register_offset::vs, nvme::version_1_4);
    enabled_ = false;
    shut_down_ = false;
    held_.clear();
    event_requests_.clear();
    unread_pages_.reset();
    cache_on_ = true;
    interrupt_pending_ = {};
    cqs_.assign(sim_drive_.queues + 1, {});
    sqs_.assign(sim_drive_.queues + 1, {});
}

void fake_drive::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        bool worked = false;
        {
            const std::lock_guard guard(lock_);
            worked = step();
        }
        if (!worked) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
}

bool fake_drive::step_once() {
    const std::lock_guard guard(lock_);
    return step();
}

bool fake_drive::step() {
    if (registers_ == nullptr || silent_) return false;
    step_registers();
    if (!enabled_) return false;
    send_pending_interrupts();
    tell_events();
    bool worked = false;
    for (std::uint16_t qid = 0; qid < sqs_.size(); ++qid) {
        submission_queue& queue = sqs_[qid];
        if (!queue.exists) continue;
        const std::uint32_t tail = get32(nvme::sq_doorbell_offset(qid, 0));
        while (queue.head != tail && queue.head < queue.entries) {
            const std::byte* const at =
                reach(queue.address + queue.head * sizeof(nvme::sqe), sizeof(nvme::sqe));
            if (at == nullptr) return worked;
            nvme::sqe command{};
            std::memcpy(&command, at, sizeof command);
            queue.head = (queue.head + 1) % queue.entries;
            if (qid != 0) commands_.push_back(command);
            const bool swallowed = qid != 0 && swallow_ != 0;
            if (swallowed) --swallow_;
            held_.push_back({qid, command, swallowed});
            worked = true;
        }
    }
    // An Abort takes one out.
    for (std::size_t left = held_.size(); left != 0 && !held_.empty(); --left) {
        const pending next = held_.front();
        held_.pop_front();
        if (next.swallowed || (holding_ && next.qid != 0) || is_ignored(next))
            held_.push_back(next);
        else
            execute(next.qid, next.command);
    }
    return worked;
}

void fake_drive::step_registers() {
    using namespace nvme::register_offset;
    const auto wanted = nvme::controller_configuration::unpack(get32(cc));
    auto now = nvme::controller_status::unpack(get32(csts));
    if (wanted.en && !enabled_ && !not_ready_) {
        const std::uint32_t sizes = get32(aqa);
        sqs_[0] = {.exists = true,
                   .address = get32(asq) | std::uint64_t{get32(asq + 4)} << 32,
                   .entries = (sizes & 0xfff) + 1};
        cqs_[0] = {.exists = true,
                   .address = get32(acq) | std::uint64_t{get32(acq + 4)} << 32,
                   .entries = (sizes >> 16 & 0xfff) + 1,
                   .vector = 0};
        enabled_ = true;
        now.rdy = true;
        put32(csts, now.pack());
    }
    if (!wanted.en && enabled_) {
        enabled_ = false;
        cqs_.assign(cqs_.size(), {});
        sqs_.assign(sqs_.size(), {});
        now.rdy = false;
        put32(csts, now.pack());
    }
    if (wanted.shn != nvme::shutdown_notification::none &&
        now.shst != nvme::shutdown_status::complete) {
        now.shst = nvme::shutdown_status::complete;
        if (sim_drive_.loses_cache) durable_ = media_;
        shut_down_ = true;
        put32(csts, now.pack());
    }
}

void fake_drive::execute(std::uint16_t qid, const nvme::sqe& command) {
    std::uint32_t dw0 = 0;
    nvme::status status = sc::success;
    if (qid == 0) {
        if (command.opcode == static_cast<std::uint8_t>(nvme::admin_opcode::async_event_request))
            return event_requests_.push_back(command.cid.value());
        status = admin(command, dw0);
    } else if (!failures_.empty()) {
        status = failures_.front();
        failures_.pop_front();
    } else {
        status = io(command);
    }
    const std::uint16_t cid = command.cid.value();
    const auto head = static_cast<std::uint16_t>(sqs_[qid].head);
    if (qid != 0) {
        const auto wild = static_cast<std::uint16_t>(cid ^ 0xff00u);
        switch (mischief_) {
            case mischief::none: break;
            case mischief::wild_cid: post_raw(qid, wild, qid, head, status, 0); break;
            case mischief::twice: post_raw(qid, cid, qid, head, status, 0); break;
            case mischief::wrong_queue: post_raw(qid, cid, 77, head, status, 0); break;
            case mischief::wrong_head: post_raw(qid, cid, qid, 0xfff0, status, 0); break;
            case mischief::garbage_status:
                return post(qid, cid, nvme::status::from_field(0xfffe), ~0u);
            case mischief::wrong_phase: {
                completion_queue& queue = cqs_[sqs_[qid].cqid];
                const std::uint32_t ahead = (queue.tail + 1) % queue.entries;
                if (std::byte* const at = reach(queue.address + ahead * sizeof(nvme::cqe), 16))
                    __atomic_store_n(reinterpret_cast<std::uint8_t*>(at) + 14,
                                     static_cast<std::uint8_t>(queue.phase ? 1 : 0),
                                     __ATOMIC_RELEASE);
                break;
            }
        }
    }
    post(qid, cid, status, dw0);
}

void fake_drive::post(std::uint16_t qid, std::uint16_t cid, nvme::status status,
                      std::uint32_t dw0) {
    post_raw(qid, cid, qid, static_cast<std::uint16_t>(sqs_[qid].head), status, dw0);
}

void fake_drive::post_raw(std::uint16_t qid, std::uint16_t cid, std::uint16_t sqid,
                          std::uint16_t sqhd, nvme::status status, std::uint32_t dw0) {
    completion_queue& queue = cqs_[sqs_[qid].cqid];
    nvme::cqe entry{};
    entry.dw0 = dw0;
    entry.cid = cid;
    entry.sqid = sqid;
    entry.sqhd = sqhd;
    std::byte* const at = reach(queue.address + queue.tail * sizeof entry, sizeof entry);
    if (at == nullptr) return;
    // The status, and with it the phase, last.
    std::memcpy(at, &entry, sizeof entry - sizeof(std::uint16_t));
    const std::uint16_t field = status.to_field(queue.phase);
    at[15] = static_cast<std::byte>(field >> 8);
    __atomic_store_n(reinterpret_cast<std::uint8_t*>(at) + 14, static_cast<std::uint8_t>(field),
                     __ATOMIC_RELEASE);
    queue.tail = (queue.tail + 1) % queue.entries;
    if (queue.tail == 0) queue.phase = !queue.phase;
    interrupt(queue.vector);
}

// --- interrupts ----------------------------------------------------------------------------------

bool fake_drive::masked(int vector) const {
    return (get32(msix_table + static_cast<std::uint32_t>(vector) * 16 + 12) & 1u) != 0;
}

void fake_drive::interrupt(int vector) {
    if (vector < 0) return;
    const auto index = static_cast<std::size_t>(vector);
    interrupt_pending_[index] = masked(vector);
    if (interrupt_pending_[index]) return;
    ++interrupts_[index];
    user_->interrupt(vector);
}

void fake_drive::send_pending_interrupts() {
    for (std::size_t i = 0; i < interrupt_pending_.size(); ++i)
        if (interrupt_pending_[i]) interrupt(static_cast<int>(i));
}

nvme::status fake_drive::admin(const nvme::sqe& command, std::uint32_t& dw0) {
    const std::uint32_t dw10 = command.cdw10.value();
    const std::uint32_t dw11 = command.cdw11.value();
    const std::uint32_t qid = dw10 & 0xffff;
    switch (static_cast<nvme::admin_opcode>(command.opcode)) {
        case nvme::admin_opcode::identify: return identify(command);
        case nvme::admin_opcode::get_log_page: return get_log(command);
        case nvme::admin_opcode::abort: abort(command, dw0); return sc::success;
        case nvme::admin_opcode::get_features: return features(command, dw0);
        case nvme::admin_opcode::set_features: {
            if ((dw10 & 0xff) == static_cast<std::uint32_t>(nvme::fid::volatile_write_cache))
                return features(command, dw0);
            const std::uint32_t last = sim_drive_.queues - 1;
            dw0 = last | last << 16;
            return sc::success;
        }
        case nvme::admin_opcode::create_io_cq:
            if (qid == 0 || qid >= cqs_.size()) return sc::queue_id_invalid;
            cqs_[qid] = {.exists = true,
                         .address = command.prps().prp1.value(),
                         .entries = (dw10 >> 16) + 1,
                         .vector = (dw11 & 2) != 0 ? static_cast<int>(dw11 >> 16) : -1};
            return sc::success;
        case nvme::admin_opcode::create_io_sq:
            if (qid == 0 || qid >= sqs_.size() || !cqs_[dw11 >> 16].exists) return sc::cq_invalid;
            sqs_[qid] = {.exists = true,
                         .address = command.prps().prp1.value(),
                         .entries = (dw10 >> 16) + 1,
                         .cqid = static_cast<std::uint16_t>(dw11 >> 16)};
            return sc::success;
        default: return sc::invalid_opcode;
    }
}

// Bit 0 of dw0: the command was not aborted.
void fake_drive::abort(const nvme::sqe& command, std::uint32_t& dw0) {
    ++aborts_;
    const std::uint32_t which = command.cdw10.value();
    const auto at = std::find_if(held_.begin(), held_.end(), [&](const pending& p) {
        return p.qid == (which & 0xffff) && p.command.cid.value() == which >> 16;
    });
    dw0 = 1;
    if (at == held_.end() || ignore_aborts_) return;
    dw0 = 0;
    const pending found = *at;
    held_.erase(at);
    post(found.qid, found.command.cid.value(), sc::aborted_by_request, 0);
}

void fake_drive::tell_events() {
    for (auto at = events_.begin(); at != events_.end() && !event_requests_.empty();) {
        if (at->log_page != 0 && unread_pages_.test(at->log_page)) {
            ++at;
            continue;
        }
        unread_pages_.set(at->log_page);
        post(0, event_requests_.front(), sc::success, at->pack());
        event_requests_.pop_front();
        at = events_.erase(at);
    }
}

// Only the write cache is there.
nvme::status fake_drive::features(const nvme::sqe& command, std::uint32_t& dw0) {
    const bool sets = command.opcode == static_cast<std::uint8_t>(nvme::admin_opcode::set_features);
    if (sets) {
        const bool on =
            (nvme::decode_set_features(command).cdw11 & nvme::volatile_write_cache_enable) != 0;
        if (!on && !sim_drive_.cache_can_be_off) return sc::feature_not_changeable;
        if (!on && sim_drive_.loses_cache) durable_ = media_;
        if (!sim_drive_.forgets_features) cache_on_ = on;
    }
    dw0 = cache_on_ ? nvme::volatile_write_cache_enable : 0;
    return sc::success;
}

nvme::status fake_drive::get_log(const nvme::sqe& command) {
    const nvme::get_log_page wanted = nvme::decode_get_log_page(command);
    unread_pages_.reset(wanted.lid);
    std::vector<std::byte> out(std::max<std::uint64_t>(wanted.length_bytes, page));
    switch (static_cast<nvme::lid>(wanted.lid)) {
        case nvme::lid::smart: std::memcpy(out.data(), &smart_, sizeof smart_); break;
        case nvme::lid::error_information:
            if (!errors_.empty())
                std::memcpy(out.data(), errors_.data(),
                            std::min(errors_.size() * sizeof errors_[0], out.size()));
            break;
        case nvme::lid::changed_namespaces: {
            nvme::changed_namespace_log list{};
            for (std::size_t i = 0; i < changed_.size(); ++i) list.nsid[i] = changed_[i];
            changed_.clear();
            std::memcpy(out.data(), &list, sizeof list);
            break;
        }
        default: return sc::invalid_log_page;
    }
    return move(command, out.data(), wanted.length_bytes, true) ? sc::success
                                                                : sc::data_transfer_error;
}

void fake_drive::add_atomicity(nvme::identify_namespace& ns) const {
    ns.nawun = sim_drive_.nawun;
    ns.nawupf = sim_drive_.nawupf;
    ns.nabspf = sim_drive_.nabspf;
}

nvme::status fake_drive::identify(const nvme::sqe& command) {
    std::array<std::byte, nvme::identify_bytes> out{};
    const auto pad = [](auto& field, const std::string& text) {
        field.fill(' ');
        std::copy(text.begin(), text.end(), field.begin());
    };
    switch (static_cast<nvme::cns>(nvme::decode_identify(command).cns)) {
        case nvme::cns::controller: {
            nvme::identify_controller id{};
            pad(id.sn, sim_drive_.serial);
            pad(id.mn, "Fake drive");
            pad(id.fr, "1.0");
            id.mdts = sim_drive_.mdts;
            id.oncs = sim_drive_.oncs;
            id.awun = sim_drive_.awun;
            id.awupf = sim_drive_.awupf;
            id.vwc = sim_drive_.write_cache ? nvme::vwc::present : std::uint8_t{0};
            id.sgls = sim_drive_.sgl ? nvme::sgls::supported : 0;
            id.nn = sim_drive_.namespaces;
            id.acl = 3;
            id.aerl = 3;
            id.oaes = nvme::oaes::namespace_attribute;
            std::memcpy(out.data(), &id, sizeof id);
            break;
        }
        case nvme::cns::active_namespaces: {
            nvme::namespace_list list{};
            std::size_t count = 0;
            for (std::uint32_t i = 0; i < namespace_blocks_.size(); ++i)
                if (namespace_blocks_[i] != 0) list.nsid[count++] = i + 1;
            std::memcpy(out.data(), &list, sizeof list);
            break;
        }
        case nvme::cns::namespace_data: {
            nvme::identify_namespace ns{};
            const std::uint32_t nsid = command.nsid.value();
            if (nsid == 0 || nsid > namespace_blocks_.size())
                return sc::invalid_namespace_or_format;
            ns.nsze = namespace_blocks_[nsid - 1];
            ns.ncap = namespace_blocks_[nsid - 1];
            ns.lbaf[0].lbads = static_cast<std::uint8_t>(std::countr_zero(sim_drive_.block_bytes));
            ns.dlfeat = nvme::dlfeat::reads_zero;
            ns.nsfeat = sim_drive_.nsfeat;
            ns.npwg = sim_drive_.npwg;
            ns.npdg = sim_drive_.npdg;
            ns.nows = sim_drive_.nows;
            add_atomicity(ns);
            ns.mssrl = std::uint16_t{64};
            ns.mcl = std::uint32_t{256};
            ns.msrc = 15;
            std::memcpy(out.data(), &ns, sizeof ns);
            break;
        }
        case nvme::cns::namespace_descriptors: {
            const std::uint32_t nsid = command.nsid.value();
            if (nsid == 0 || nsid > namespace_blocks_.size() || namespace_blocks_[nsid - 1] == 0)
                return sc::invalid_namespace_or_format;
            nvme::namespace_id_list_writer(out).add(nsid == sim_drive_.zoned_nsid ? nvme::csi::zoned
                                                                                  : nvme::csi::nvm);
            break;
        }
        case nvme::cns::command_set_controller:
            if (!sim_drive_.tells_limits) return sc::invalid_field;
            std::memcpy(out.data(), &sim_drive_.limits, sizeof sim_drive_.limits);
            break;
        default: return sc::invalid_field;
    }
    return move(command, out.data(), out.size(), true) ? sc::success : sc::data_transfer_error;
}

}  // namespace fulmar::test
