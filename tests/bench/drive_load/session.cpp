#include "bench/drive_load/session.hpp"

#include "backend/pcie/drive.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor_pool.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <algorithm>
#include <chrono>
#include <thread>

namespace fulmar::bench {

namespace {

constexpr duration up_limit = std::chrono::seconds(40);
constexpr duration end_limit = std::chrono::seconds(30);
constexpr std::size_t page = 4096;

duration from_seconds(double seconds) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
}

class session final : private backend::pcie::drive_listener {
  public:
    explicit session(const drive_load_options& options) : options_(options) {}

    result<drive_load_report> run() {
        FULMAR_CHECK(build());
        FULMAR_CHECK(pool_->start());
        drive_->attach();
        // Whoever ends the reading ends this, and so does a drive that never comes up.
        control_->timers().arm(too_late_, clock_.now() + up_limit);
        control_->run();
        if (reader_ && !over_) {  // its memory is lent out
            log::error("the drive keeps reads for too long");
            log::shut_down();
            std::_Exit(1);
        }
        const std::string why = reader_ ? std::string() : drive_->status().reason;
        give_back();
        if (!reader_) return fail(errc::unavailable, "the drive did not come up: " + why);
        return reader_->report();
    }

  private:
    struct deadline final : engine::timer {
        explicit deadline(session& s) noexcept
            : timer([](engine::timer& t) noexcept {
                  static_cast<deadline&>(t).owner->control_->stop();
              }),
              owner(&s) {}
        session* owner;
    };

    result<void> build() {
        FULMAR_TRY(memory_,
                   source_.allocate(std::size_t{options_.depth} * options_.io_bytes, page));
        FULMAR_TRY(control_, engine::reactor::create({.id = reactor_id{0xffff},
                                                      .busy_window = duration::zero(),
                                                      .clock = &clock_}));
        engine::reactor_pool::options data;
        if (options_.cpu >= 0) data.cpus = {options_.cpu};
        data.busy_window = std::chrono::microseconds(options_.busy_poll_us);
        data.clock = &clock_;
        FULMAR_TRY(pool_, engine::reactor_pool::create(data));
        provider_ = vfio::make_vfio_provider();
        environment_.control = control_.get();
        environment_.data = {pool_->reactors().front().get()};
        environment_.provider = provider_.get();
        environment_.memory = {{memory_.data(), memory_.size()}};
        drive_ = new backend::pcie::drive({.name = "load", .address = options_.address},
                                          environment_);  // deletes itself
        FULMAR_TRY(namespace_, drive_->join(0, *this));
        return {};
    }

    void on_drive_ready() noexcept override {
        if (reader_) return;
        const std::uint32_t block = namespace_->view.block_bytes;
        const std::uint64_t blocks = namespace_->view.block_count;
        const std::uint64_t wanted = options_.region_bytes / block;
        reader_.emplace(
            *drive_->place_of(*environment_.data.front()), namespace_->view,
            std::span(memory_.data(), memory_.size()),
            reader::options{.depth = options_.depth,
                            .io_blocks = options_.io_bytes / block,
                            .region_blocks = wanted == 0 ? blocks : std::min(wanted, blocks),
                            .warmup = from_seconds(options_.warmup_seconds),
                            .length = from_seconds(options_.seconds)},
            [this] {
                over_ = true;
                control_->stop();
            });
        control_->timers().arm(too_late_, clock_.now() + end_limit +
                                              from_seconds(options_.warmup_seconds) +
                                              from_seconds(options_.seconds));
        reader_->begin();
    }
    // The reads are answered, and the first that fails ends the load.
    void on_drive_lost(const std::string& reason) noexcept override {
        if (!over_) log::error("the drive was lost: {}", reason);
    }
    bool on_drive_back_without_data(const std::string& /*reason*/) noexcept override {
        return false;  // it only reads
    }
    void on_drive_resized() noexcept override {}

    void give_back() {
        control_->timers().cancel(too_late_);
        drive_->detach(false);
        const instant until = clock_.now() + end_limit;
        while (drive_->state() != backend::drive_state::absent && clock_.now() < until)
            if (!control_->run_once()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        drive_->leave(*namespace_);
        static_cast<void>(engine::helper_job::wait_for_all(end_limit));
        while (control_->run_once()) {}
        static_cast<void>(pool_->stop(end_limit));
    }

    drive_load_options options_;
    monotonic_clock clock_;
    mem::heap_memory source_;
    mem::dma_region memory_;
    std::unique_ptr<engine::reactor> control_;
    std::unique_ptr<engine::reactor_pool> pool_;
    std::unique_ptr<vfio::drive_access_provider> provider_;
    backend::pcie_environment environment_;
    backend::pcie::drive* drive_ = nullptr;
    backend::pcie::drive_namespace* namespace_ = nullptr;
    std::optional<reader> reader_;
    std::atomic<bool> over_{false};
    deadline too_late_{*this};
};

}  // namespace

result<drive_load_report> run_drive_load(const drive_load_options& options) {
    log::initialise("error");
    auto done = session(options).run();
    log::shut_down();
    return done;
}

}  // namespace fulmar::bench
