// An NVMe controller in ordinary memory: registers, queues, DMA through its own table, and every
// bad habit that a test may want. It runs on a thread of its own, as hardware does, or a step at a
// time where a simulator says when.
#pragma once

#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/status.hpp>
#include <fulmar/vfio/drive_access.hpp>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::test {

/// The drive in the slot. Called on: any thread.
class fake_drive {
  public:
    struct options {
        std::string serial = "FAKE1";
        std::uint32_t block_bytes = 512;
        std::uint64_t block_count = 8192;
        std::uint8_t mdts = 0;  // 0: no limit
        std::uint32_t queues = 8;
        bool sgl = false;
        bool write_cache = true;
        std::uint16_t oncs = 0x0d;     // compare, dataset management, write zeroes
        std::uint32_t namespaces = 1;  // they share the medium: each has an equal part of it
        // What is in the cache and was not flushed is gone when the drive is plugged (in or out).
        bool loses_cache = false;
        bool cache_can_be_off = true;
        bool forgets_features = false;           // Set Features succeeds and changes nothing
        nvme::identify_nvm_controller limits{};  // kept, too: what is beyond them fails
        bool tells_limits = true;
        std::uint8_t nsfeat = 0;
        std::uint16_t npwg = 0;
        std::uint16_t npdg = 0;
        std::uint16_t nows = 0;
        std::uint16_t awun = 0;
        std::uint16_t awupf = 0;
        std::uint16_t nawun = 0;
        std::uint16_t nawupf = 0;
        std::uint16_t nabspf = 0;
        std::uint32_t zoned_nsid = 0;  // not 0: the drive knows several command sets
    };
    enum class mischief : std::uint8_t {
        none,
        wild_cid,
        twice,
        wrong_queue,
        wrong_head,
        garbage_status,  // instead of the right one
        wrong_phase,     // the entry after the next is written, and the next is not
    };

    /// What its user is about to do, or does.
    enum class moment : std::uint8_t { opening, waiting, silencing, cutting, closing };
    enum class pace : std::uint8_t { of_its_own, by_hand };

    fake_drive() : fake_drive(options{}) {}
    explicit fake_drive(options opts, pace how = pace::of_its_own);
    ~fake_drive();
    fake_drive(const fake_drive&) = delete;
    fake_drive& operator=(const fake_drive&) = delete;

    // By hand: no thread, and time passes where the test says.
    /// One look at registers and queues; true when there was something to do.
    bool step_once();
    /// Called at each such moment of the opening, which is blocked meanwhile. Set once, at first.
    void interrupt_user(std::function<void(moment)> what) { at_moment_ = std::move(what); }
    /// Whether the drive may still touch that piece of mapped memory; else it counts as bad. Set
    /// once, at first.
    void guard_memory(std::function<bool(const std::byte*, std::uint64_t)> allowed) {
        allowed_ = std::move(allowed);
    }

    /// What a read or write of an I/O queue is about to find in the medium, or has left there:
    /// `blocks` may be changed before. Set once, at first.
    void watch_medium(std::function<void(const nvme::sqe&, std::span<std::byte>, bool)> what) {
        at_medium_ = std::move(what);
    }

    // Knobs.
    /// Commands of I/O queues are fetched, and answered only when this is false again.
    void hold(bool on);
    void fail_next(nvme::status with);
    /// The next `count` commands of I/O queues are never answered, but for an Abort.
    void swallow(std::uint32_t count);
    void ignore_aborts(bool on);
    /// An asynchronous event, and what its pages say from now on. Those of one page wait until that
    /// has been read.
    void raise(nvme::async_event event);
    void set_smart(const nvme::smart_log& page);
    void add_error(const nvme::error_log_entry& entry);
    /// The size of namespace `nsid` in blocks; 0: it is deleted.
    void resize_namespace(std::uint32_t nsid, std::uint64_t blocks);
    /// Admin commands are fetched, and not answered.
    void ignore_admin(bool on);
    void ignore_identify(bool on);
    [[nodiscard]] std::size_t identifies_ignored() const;
    /// Each completion of an I/O queue is preceded by one that is wrong in that way.
    void misbehave(mischief how);
    /// The drive is pulled, or falls silent: registers read as `value`, nothing is done any more.
    void fall_silent(std::uint32_t value);
    void report_fatal_error();
    /// The bus does, of this drive.
    void report_bus_error();
    void never_become_ready(bool on);
    /// Another drive, or none, in the slot; state is that after power-on. What a drive holds it
    /// keeps, in the slot or not; drives are told apart by their serials.
    void plug(std::optional<options> sim_drive);
    /// The kernel wants it: the device-request eventfd of who has it open.
    void request_removal();

    // What happened.
    [[nodiscard]] std::vector<std::byte> media() const;
    [[nodiscard]] std::vector<nvme::sqe> commands() const;  // of I/O queues, all that were fetched
    [[nodiscard]] std::uint64_t bad_dma() const;            // to addresses that nobody mapped
    [[nodiscard]] std::uint64_t held() const;
    [[nodiscard]] std::uint32_t aborts() const;  // Abort commands
    [[nodiscard]] std::uint32_t event_requests() const;
    [[nodiscard]] std::uint64_t interrupts(std::uint32_t vector) const;  // that were sent
    [[nodiscard]] std::uint32_t openings() const;
    [[nodiscard]] bool is_open() const;
    [[nodiscard]] bool was_shut_down() const;

    [[nodiscard]] vfio::drive_access_provider& provider() noexcept { return *provider_; }

  private:
    friend class fake_access;
    friend class fake_provider;
    struct mapping {
        std::byte* base;
        std::uint64_t bytes;
        std::uint64_t address;
    };
    struct completion_queue {
        bool exists = false;
        std::uint64_t address = 0;
        std::uint32_t entries = 0;
        std::uint32_t tail = 0;
        bool phase = true;
        int vector = -1;
    };
    struct submission_queue {
        bool exists = false;
        std::uint64_t address = 0;
        std::uint32_t entries = 0;
        std::uint32_t head = 0;
        std::uint16_t cqid = 0;
    };
    struct pending {
        std::uint16_t qid;
        nvme::sqe command;
        bool swallowed = false;
    };

    void reach_moment(moment which) const {
        if (at_moment_) at_moment_(which);
    }
    void power_on();
    void run(const std::stop_token& stop);
    bool step();
    void step_registers();
    void execute(std::uint16_t qid, const nvme::sqe& command);
    nvme::status admin(const nvme::sqe& command, std::uint32_t& dw0);
    void add_atomicity(nvme::identify_namespace& ns) const;
    nvme::status identify(const nvme::sqe& command);
    nvme::status get_log(const nvme::sqe& command);
    void abort(const nvme::sqe& command, std::uint32_t& dw0);
    void tell_events();
    void interrupt(int vector);
    void send_pending_interrupts();
    [[nodiscard]] bool masked(int vector) const;
    nvme::status io(const nvme::sqe& command);
    nvme::status copy(const nvme::sqe& command, std::uint64_t first, std::uint64_t blocks);
    nvme::status deallocate(const nvme::sqe& command, std::uint64_t first, std::uint64_t blocks);
    nvme::status features(const nvme::sqe& command, std::uint32_t& dw0);
    void mark(std::uint64_t first, std::uint64_t blocks, bool unreadable);
    [[nodiscard]] bool is_marked(std::uint64_t first, std::uint64_t blocks) const;
    void keep_or_cache(std::uint64_t from, std::uint64_t bytes, bool fua);
    void lose_power();
    void post(std::uint16_t qid, std::uint16_t cid, nvme::status status, std::uint32_t dw0);
    void post_raw(std::uint16_t qid, std::uint16_t cid, std::uint16_t sqid, std::uint16_t sqhd,
                  nvme::status status, std::uint32_t dw0);
    void look_at_medium(const nvme::sqe& command, std::byte* media, std::uint64_t bytes,
                        bool after) const {
        if (at_medium_) at_medium_(command, {media, bytes}, after);
    }
    [[nodiscard]] std::byte* reach(std::uint64_t address, std::uint64_t bytes);
    bool move(const nvme::sqe& command, std::byte* media, std::uint64_t bytes, bool to_host,
              bool compare = false);
    [[nodiscard]] std::uint32_t get32(std::uint32_t offset) const;
    void put32(std::uint32_t offset, std::uint32_t value);
    void put64(std::uint32_t offset, std::uint64_t value);

    static constexpr std::uint64_t page = 4096;
    static constexpr std::size_t register_bytes = 16384;
    static constexpr std::uint32_t msix_table = 0x3000;  // in the registers, as most drives have it
    mutable std::mutex lock_;
    options sim_drive_;
    bool present_ = true;
    bool silent_ = false;
    bool holding_ = false;
    bool not_ready_ = false;
    bool enabled_ = false;
    bool shut_down_ = false;
    mischief mischief_ = mischief::none;
    std::deque<nvme::status> failures_;
    std::uint32_t swallow_ = 0;
    std::uint32_t aborts_ = 0;
    bool ignore_aborts_ = false;
    bool ignore_admin_ = false;
    bool ignore_identify_ = false;
    [[nodiscard]] bool is_ignored(const pending& one) const;
    std::deque<nvme::async_event> events_;
    std::bitset<256> unread_pages_;
    bool cache_on_ = true;
    std::vector<std::byte> durable_;            // of the drive that is in, when it loses its cache
    std::deque<std::uint16_t> event_requests_;  // cids
    nvme::smart_log smart_{};
    std::vector<nvme::error_log_entry> errors_;  // newest first
    std::vector<std::uint32_t> changed_;
    std::array<std::uint64_t, 16> interrupts_{};
    std::array<bool, 16> interrupt_pending_{};
    std::vector<std::byte> media_;
    std::set<std::uint64_t> unreadable_;  // blocks of the medium, by Write Uncorrectable
    std::vector<std::uint64_t> namespace_blocks_;
    std::vector<nvme::sqe> commands_;
    std::deque<pending> held_;
    std::uint64_t bad_dma_ = 0;
    std::function<void(moment)> at_moment_;
    std::function<bool(const std::byte*, std::uint64_t)> allowed_;
    std::function<void(const nvme::sqe&, std::span<std::byte>, bool)> at_medium_;
    std::map<std::string, std::vector<std::byte>>
        drawer_;  // of drives that were taken out, by serial
    std::uint32_t openings_ = 0;
    bool bus_master_ = false;
    std::vector<mapping> mappings_;
    std::vector<completion_queue> cqs_;
    std::vector<submission_queue> sqs_;
    std::byte* registers_ = nullptr;  // of who has it open
    class fake_access* user_ = nullptr;
    std::unique_ptr<vfio::drive_access_provider> provider_;
    std::jthread thread_;  // none, by hand
};

}  // namespace fulmar::test
