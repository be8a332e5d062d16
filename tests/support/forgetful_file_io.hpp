// A disk in memory that forgets what was not synced when its power is cut, sector by sector, by a
// seed: some un-synced sectors made it, some did not. It proves FUA and Flush; the journal has
// its own, with folders (forgetful_disk.hpp). One thread.
#pragma once

#include <fulmar/engine/file_io.hpp>
#include <fulmar/engine/poller.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace fulmar::test {

/// Files and their names. Descriptors are numbers of its own, beyond those of the operating system.
class forgetful_storage {
  public:
    static constexpr std::size_t sector_bytes = 512;

    /// The file of that name; made when `create`, durably. -1: there is none.
    int open(const std::string& name, bool create);
    /// Another open file on the same inode: it hears of failed syncs by itself, as in the kernel.
    int open_again(int fd);
    void close(int fd);

    [[nodiscard]] std::uint64_t size(int fd) const;
    /// Durable at once.
    void set_size(int fd, std::uint64_t bytes);
    /// What a read would find now.
    [[nodiscard]] std::vector<std::byte> contents(int fd) const;

    /// The power fails and comes back: sizes and sectors that were not durable are kept or
    /// lost by `seed`; operations under way are never answered, though their sectors may have
    /// arrived; all descriptors are closed.
    void power_cut(std::uint32_t seed);
    /// Answers what a power cut left unanswered with -EIO, so that the objects of the "dead"
    /// process can be destroyed.
    void answer_lost();

    /// The next `times` operations of `kind` fail with `error`. A sync that fails drops what it
    /// should have written, and the next one through that open file succeeds: as Linux does.
    void fail_next(engine::file_op_kind kind, int error, std::uint32_t times = 1);
    /// Operations of `kind` are answered -EOPNOTSUPP from now on.
    void refuse(engine::file_op_kind kind) { refused_.push_back(kind); }
    /// While true nothing is answered.
    void hold(bool on) { held_ = on; }
    /// Operations complete in an order that `seed` chooses; 0: in order.
    void shuffle(std::uint32_t seed);

    [[nodiscard]] std::uint64_t syncs() const { return syncs_; }  ///< sync and data_sync, done
    [[nodiscard]] std::uint64_t durable_writes() const { return durable_writes_; }

    // For forgetful_file_io.
    void begin(engine::file_op& op);
    /// The next operation to answer and its result; false: none (yet).
    bool step(engine::file_op*& op, std::int64_t& result);
    bool take_back(engine::file_op& op);
    [[nodiscard]] std::size_t under_way() const { return under_way_.size(); }

  private:
    struct inode {
        std::vector<std::byte> cached;
        std::vector<std::byte> durable;
        std::map<std::uint64_t, std::uint64_t> dirty;  // sector → when it was last written
        std::uint32_t lost_syncs = 0;
    };
    struct open_file {
        std::shared_ptr<inode> file;
        std::uint32_t seen_lost_syncs = 0;
    };
    struct started {
        engine::file_op* op;
        std::shared_ptr<inode> file;
        std::uint64_t at;  // the clock when it was submitted
    };

    std::int64_t perform(const started& s);
    std::int64_t injected(const engine::file_op& op);
    std::int64_t sync(const started& s, open_file& through);
    void put(inode& file, std::uint64_t offset, std::span<const std::byte> bytes, bool durable);
    static void harden(inode& file, std::uint64_t sector);
    static std::vector<std::byte> gather(const engine::file_op& op);
    void tear(inode& file, std::mt19937& random);

    std::map<int, open_file> open_;
    int next_fd_ = 1'000'000;
    std::map<std::string, std::shared_ptr<inode>> names_;
    std::deque<started> under_way_;
    std::deque<started> lost_;
    std::map<engine::file_op_kind, std::pair<int, std::uint32_t>> failures_;
    std::vector<engine::file_op_kind> refused_;
    std::mt19937 order_{0};
    bool shuffled_ = false;
    bool held_ = false;
    std::uint64_t clock_ = 0;
    std::uint64_t syncs_ = 0;
    std::uint64_t durable_writes_ = 0;
};

/// A reactor's way to a forgetful disk: answers a few operations each turn, never inside submit().
class forgetful_file_io final : public engine::file_io, private engine::poller {
  public:
    /// With a reactor it is polled there; without one call poll() by hand.
    explicit forgetful_file_io(forgetful_storage& disk, engine::reactor* r = nullptr);
    ~forgetful_file_io() override;
    forgetful_file_io(const forgetful_file_io&) = delete;
    forgetful_file_io& operator=(const forgetful_file_io&) = delete;

    void submit(engine::file_op& op) noexcept override;
    void cancel(engine::file_op& op) noexcept override;
    [[nodiscard]] std::uint32_t outstanding() const noexcept override {
        return static_cast<std::uint32_t>(disk_.under_way());
    }
    bool poll() noexcept override;
    bool has_work() noexcept override { return disk_.under_way() != 0; }

  private:
    forgetful_storage& disk_;
    engine::reactor* reactor_;
};

/// One file_io for the one reactor of a test.
class forgetful_files final : public engine::file_io_provider {
  public:
    explicit forgetful_files(forgetful_storage& disk) : disk_(disk) {}
    result<engine::file_io*> for_reactor(engine::reactor& r) override;
    bool at_rest() const noexcept override { return io_ == nullptr || io_->outstanding() == 0; }

  private:
    forgetful_storage& disk_;
    std::unique_ptr<forgetful_file_io> io_;
};

}  // namespace fulmar::test
