#include "drive_session.hpp"

#include "drive.hpp"

#include <fulmar/base/log.hpp>

#include <pthread.h>
#include <sched.h>

namespace fulmar::backend::pcie {

namespace {
constexpr std::uint32_t io_entries = 256;
constexpr duration longest_nap = std::chrono::milliseconds(1);
constexpr std::size_t memory_alignment = 4096;

/// While it lives this thread, and a thread that it starts or prepares until restore(), go before
/// whoever uses up the processors, where that is allowed. A thread that only raised itself would
/// wait for its first turn.
class scoped_rt_priority {
  public:
    explicit scoped_rt_priority(bool wanted = true) noexcept {
        if (!wanted || ::pthread_getschedparam(::pthread_self(), &policy_, &before_) != 0) return;
        sched_param lowest{};
        lowest.sched_priority = ::sched_get_priority_min(SCHED_FIFO);
        raised_ = ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &lowest) == 0;
    }
    ~scoped_rt_priority() {
        if (raised_) ::pthread_setschedparam(::pthread_self(), policy_, &before_);
    }
    scoped_rt_priority(const scoped_rt_priority&) = delete;
    scoped_rt_priority& operator=(const scoped_rt_priority&) = delete;

    /// The calling thread, which was started with a real-time priority, waits for its turn again.
    static void restore() noexcept {
        const sched_param ordinary{};
        ::pthread_setschedparam(::pthread_self(), SCHED_OTHER, &ordinary);
    }

  private:
    int policy_ = SCHED_OTHER;
    sched_param before_{};
    bool raised_ = false;
};
}  // namespace

drive_session::drive_session(drive& owner, const pcie_options& options,
                             const pcie_environment& environment, std::vector<std::uint32_t> wanted)
    : owner_(owner),
      options_(options),
      environment_(environment),
      wanted_(std::move(wanted)),
      access_(environment.provider->make(options.address)),
      main_(*this),
      probe_(*this) {}

drive_session::~drive_session() = default;

void drive_session::on_quiet() noexcept { owner_.on_quiet(*this); }

result<void> drive_session::begin_attach() {
    main_.what = task::attach;
    return main_.start(*environment_.control);
}

result<void> drive_session::begin_release(bool orderly) {
    main_.what = task::release;
    main_.orderly = orderly;
    // Somebody waits for a drive that he wants back: the kernel, and whoever asked it. The thread
    // does a handful of system calls and sleeps in them.
    const scoped_rt_priority both(!orderly);
    return main_.start(*environment_.control);
}

result<void> drive_session::begin_probe() { return probe_.start(*environment_.control); }

void drive_session::main_job::work() noexcept {
    if (what == task::release) return session->release(orderly);
    if (auto attached = session->attach(); !attached)
        session->failure_ = std::move(attached).error();
}

void drive_session::main_job::on_done() noexcept {
    drive_session& s = *session;
    if (what == task::release) return s.owner_.on_released(s);
    {  // The thread that will give the drive back: it must not be wanting then.
        const scoped_rt_priority both;
        if (auto ready = prepare(); !ready) log::warn("a drive: {}", ready.error().text());
    }
    s.owner_.on_attached(s);
}

// --- on the helper thread ------------------------------------------------------------------------

result<void> drive_session::attach() {
    if (options_.bind) FULMAR_CHECK(environment_.provider->take(options_.address));
    const auto queues = static_cast<std::uint32_t>(environment_.data.size());
    FULMAR_CHECK(access_->open(queues + 1));
    FULMAR_CHECK(map_memory());
    FULMAR_CHECK(run_controller());
    view_.description = controller_->description();
    view_.command_timeout = options_.command_timeout;
    queues_ = controller_->take_queues();
    return {};
}

result<void> drive_session::map_memory() {
    controller::options needed{.wanted_nsids = {},
                               .io_queues = static_cast<std::uint32_t>(environment_.data.size()),
                               .io_entries = io_entries,
                               .vectors = 0};
    FULMAR_TRY(memory_, source_.allocate(controller::memory_bytes(needed), memory_alignment));
    FULMAR_TRY(memory_address_, access_->map({memory_.data(), memory_.size()}));
    for (const std::span<std::byte> region : environment_.memory) {
        FULMAR_TRY(const std::uint64_t address, access_->map(region));
        if (!view_.memory.add(region, address))
            return fail(errc::limit_reached, "there are too many memory regions for a drive");
    }
    return {};
}

result<void> drive_session::run_controller() {
    controller::options wanted{.wanted_nsids = wanted_,
                               .io_queues = static_cast<std::uint32_t>(environment_.data.size()),
                               .io_entries = io_entries,
                               .vectors = 0,
                               .write_through = options_.write_through};
    while (access_->interrupt_fd(wanted.vectors) >= 0) ++wanted.vectors;
    controller_ = std::make_unique<controller>(
        access_->registers(), queue_memory{memory_.data(), memory_address_}, wanted);
    controller_->start(now());
    while (controller_->step(now())) {
        removal_seen_ = access_->removal_wanted();
        if (removal_seen_ || cancel_.load(std::memory_order_relaxed))
            return fail(errc::unavailable, "the drive went away while it was brought up");
        nap();
    }
    if (controller_->state() != controller_state::ready) return tl::unexpected(controller_->why());
    return {};
}

void drive_session::nap() noexcept { access_->wait(longest_nap); }

// Memory first, so that the reactors can give up what they lent; the kernel, which may take its
// time, last. For what comes after close() nobody waits, but the reactors may wait for the
// processor: hosts want their answers.
void drive_session::release(bool orderly) noexcept {
    releasing_at_ = now();
    if (orderly) scoped_rt_priority::restore();
    if (orderly && controller_ && controller_->state() == controller_state::ready) {
        controller_->stop(now());
        while (controller_->step(now())) nap();
        flushed_ = controller_->state() == controller_state::off;
    }
    if (!access_->silence()) access_->cut();
    main_.post_home(quiet_);
    removal_seen_ = access_->removal_wanted();  // nobody listens for that any more
    closing_at_ = now();
    access_->close();
    closed_at_ = now();
    scoped_rt_priority::restore();
    access_->dismantle();
}

void drive_session::probe_job::work() noexcept {
    const vfio::mmio_window registers = session->access_->registers();
    const std::uint32_t version = registers.read32(nvme::register_offset::vs);
    const std::uint32_t status = registers.read32(nvme::register_offset::csts);
    if (version == 0 || version == nvme::register_all_ones || status == nvme::register_all_ones)
        found = liveness::gone;
    else
        found = nvme::controller_status::unpack(status).cfs ? liveness::fatal : liveness::alive;
}

void drive_session::probe_job::on_done() noexcept { session->owner_.on_probed(*session, found); }

}  // namespace fulmar::backend::pcie
