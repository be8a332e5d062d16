// The judge. Hosts, devices and operators tell it what they did and saw; it knows what must never
// be. Every complaint is kept; a scenario fails when there is one.
#pragma once

#include <fulmar/nvme/status.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace fulmar::sim {

/// The scheduler's step count: a finer clock than time.
using moment = std::uint64_t;
inline constexpr moment never = std::numeric_limits<moment>::max();

/// One life of one namespace on one disk.
struct incarnation {
    std::uint64_t number = 0;
    std::string nqn;
    std::uint32_t nsid = 0;
    moment asked = 0;     ///< an operator asked for it
    moment gone = never;  ///< its removal was answered with a promise: nothing may be submitted …
    bool fenced = false;  ///< … and nothing may land either
    bool refused = false;  ///< it never came to be
    bool holds = false;    ///< its hosts hear of no loss: then nothing acknowledged may be gone
    bool confirmed = false;
};

/// What a host wrote into a block, or found in one.
struct stamp {
    std::uint64_t incarnation = 0;  ///< whose disk it was read from
    std::uint64_t lba = 0;
    std::uint64_t tag = 0;  ///< of the write that landed last; 0: none
};

/// Called on: any thread.
class invariant_checker {
  public:
    // Commands.
    void sent(std::uint64_t connection, std::uint16_t cid, moment at, std::uint64_t id);
    void arrived(std::uint64_t connection, std::uint16_t cid, moment at);
    /// The command's id, or 0 when nobody asked (which is a complaint).
    std::uint64_t answered(std::uint64_t connection, std::uint16_t cid, moment at);
    /// Nothing more comes on it: what was not answered is excused.
    void closed(std::uint64_t connection);
    [[nodiscard]] std::size_t unanswered() const;

    // Namespaces and their disks.
    /// Returns the incarnation's number; 0 when the disk is in use, so that the target must refuse.
    std::uint64_t attach_asked(const std::string& disk, const std::string& nqn, std::uint32_t nsid,
                               moment at, bool holds = false);
    void attach_answered(std::uint64_t number, bool succeeded);
    void removed(const std::string& nqn, std::uint32_t nsid, moment at, bool quiesce_kept);
    /// Concerns those that were asked for before the deletion was.
    void deleted(const std::string& nqn, moment asked, moment at, bool quiesce_kept);
    /// Nobody uses it, as far as operators know.
    [[nodiscard]] bool is_free(const std::string& disk) const;

    // What disks see. `tag` is 0 for anything but a write.
    /// Returns whose I/O it is.
    std::uint64_t submitted(const std::string& disk, moment at);
    void landed(const std::string& disk, std::uint64_t number, std::uint64_t lba, std::uint64_t tag,
                moment at);

    /// A disk has lost its power, and of that block the write `left` is what it has, or none.
    /// False: that is of a former namespace.
    bool power_lost(std::uint64_t number, std::uint64_t lba, std::uint64_t left);
    /// An operator accepts that what no Flush has covered may be gone from it.
    void loss_accepted(const std::string& disk);

    // Data, written by one host per block.
    /// Returns the tag of the first block; the others follow.
    std::uint64_t new_write(const std::string& nqn, std::uint32_t nsid, std::uint64_t lba,
                            std::uint32_t blocks, const std::string& host, moment at,
                            bool fua = false);
    void write_answered(std::uint64_t first_tag, bool succeeded, moment at);
    /// Success means that all writes are there which had been acknowledged when it was sent.
    void flush_answered(const std::string& nqn, std::uint32_t nsid, bool succeeded, moment sent);
    void read_answered(std::uint64_t connection, std::uint16_t cid, const std::string& nqn,
                       std::uint32_t nsid, std::uint64_t lba, const stamp& found, moment sent,
                       moment at);

    // Hosts.
    void host_removed(const std::string& nqn, const std::string& host);
    void host_added(const std::string& nqn, const std::string& host);
    /// Its host was told that nothing of it lands any more.
    void connection_ended(std::uint64_t connection);

    void complain(std::string what);
    [[nodiscard]] std::vector<std::string> complaints() const;

    [[nodiscard]] std::uint64_t commands() const { return commands_; }
    [[nodiscard]] std::uint64_t answers() const { return answers_; }

  private:
    struct command {
        std::uint64_t id = 0;
        moment sent = 0;
    };
    struct write {
        std::string nqn;
        std::uint32_t nsid = 0;
        std::uint64_t lba = 0;
        std::uint32_t blocks = 0;  ///< of the whole command, in its first entry
        std::string host;
        std::uint64_t connection = 0;
        moment sent = 0;
        moment arrived = 0;
        moment acked = never;
        bool failed = false;
        bool fua = false;
        bool durable = false;           ///< a Flush has covered it, or it had FUA
        bool gone = false;              ///< with the power of its disk
        bool may_go = false;            ///< hosts, or an operator, know
        std::uint64_t incarnation = 0;  ///< where it landed
    };
    void say(std::string what);
    const incarnation* last_of(const std::string& disk) const;

    mutable std::mutex lock_;
    std::map<std::pair<std::uint64_t, std::uint16_t>, command> open_;
    std::map<std::pair<std::uint64_t, std::uint16_t>, std::uint64_t>
        last_;                                                 // ids, also of the gone
    std::map<std::string, std::vector<std::uint64_t>> disks_;  // lives, oldest first
    std::map<std::uint64_t, incarnation> lives_;
    std::map<std::uint64_t, write> writes_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::uint64_t>> by_block_;
    /// Tags that were acknowledged and that no Flush has covered, by life.
    std::map<std::uint64_t, std::vector<std::uint64_t>> unflushed_;
    std::set<std::pair<std::string, std::string>> expelled_;
    std::set<std::uint64_t> ended_;  // connections
    std::vector<std::string> complaints_;
    std::uint64_t next_life_ = 1;
    std::uint64_t next_tag_ = 1;
    std::uint64_t commands_ = 0;
    std::uint64_t answers_ = 0;
};

}  // namespace fulmar::sim
