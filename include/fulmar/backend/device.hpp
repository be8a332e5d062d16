// The seam between NVMe-oF semantics and whatever stores the blocks. core knows nothing below this
// file.
#pragma once

#include <fulmar/backend/io_op.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/base/result.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace fulmar::engine {
class reactor;
}

namespace fulmar::backend {

/// What one copy may be made of (NVM Command Set 1.0, MSRC, MSSRL, MCL).
struct copy_bounds {
    std::uint32_t ranges = 0;        ///< 0: the device copies nothing, and core answers so
    std::uint32_t range_blocks = 0;  ///< of one source range
    std::uint32_t blocks = 0;        ///< of all of them
    friend bool operator==(const copy_bounds&, const copy_bounds&) = default;
};

/// What a device says of its own condition (NVMe Base 2.0, SMART / Health Information log).
struct device_health {
    std::uint8_t critical_warning = 0;  ///< bits of nvme::critical_warning
    std::uint16_t temperature_kelvin = 0;
    std::uint8_t available_spare_percent = 100;
    std::uint8_t spare_threshold_percent = 0;
    std::uint8_t used_percent = 0;
    std::uint64_t media_errors = 0;
    friend bool operator==(const device_health&, const device_health&) = default;
};

/// What never changes while a device exists, but for `block_count` (resize).
struct geometry {
    std::uint32_t block_bytes = 512;  ///< 512 or 4096
    std::uint64_t block_count = 0;
    bool volatile_write_cache = false;  ///< true: only FUA and flush make data durable
    bool read_only = false;             ///< core answers what would change blocks
    bool deallocate = false;
    bool deallocated_reads_zero = false;
    bool write_zeroes = true;          ///< false: core answers invalid opcode
    bool compare = true;               ///< likewise
    bool verify = true;                ///< likewise
    bool write_uncorrectable = false;  ///< likewise
    copy_bounds copy{};
    std::uint32_t max_transfer_bytes = 0;  ///< 0: no bound of its own
    std::uint32_t optimal_io_blocks = 0;   ///< 0: unknown
    // What is not a multiple of these works, and costs more; 0: unknown.
    std::uint32_t write_granularity_blocks = 0;  ///< NPWG: 8 for 512-byte blocks on 4Kn storage
    std::uint32_t deallocate_granularity_blocks = 0;  ///< NPDG: less is not given back
    std::uint32_t optimal_write_blocks = 0;           ///< NOWS
    // Blocks of one write that others see as a whole or not at all (NAWUN), and that a power
    // failure leaves so (NAWUPF). 1 wherever nobody promises more.
    std::uint32_t atomic_blocks = 1;
    std::uint32_t power_fail_atomic_blocks = 1;
};

/// How to recognise the device again; empty fields are unknown.
struct device_identity {
    std::array<std::uint8_t, 16> nguid{};
    std::array<std::uint8_t, 8> eui64{};
    std::string serial{};
    std::string model{};
    std::string claim{};  ///< what the device occupies, for "one backing, one namespace":
                          ///< "file:DEV:INODE", "pci:0000:01:00.0"
};

enum class device_state : std::uint8_t { ready, lost };

/// Whether a device may become smaller: only where somebody has asked for just that.
enum class shrinking : std::uint8_t { refused, allowed };

/// Errors: conflict (at "/size") when `to` blocks are fewer than `from` and that is refused.
/// Called on: any thread.
result<void> check_shrinking(std::uint64_t from, std::uint64_t to, std::uint32_t block_bytes,
                             shrinking smaller);

/// Why a device is opened.
enum class opening : std::uint8_t {
    asked_for,   ///< somebody asks for it now, and hears of what is in the way
    configured,  ///< it is part of the configuration: what it stands on may come later
};

/// One reactor's way into a device.
/// Called on: owning reactor, all methods.
class io_channel {
  public:
    virtual ~io_channel() = default;

    /// Takes `op`; see io_op for the contract. Never fails: errors are the op's status. Bounds
    /// (blocks within the geometry, bytes matching) have been checked by the caller.
    virtual void submit(io_op& op) noexcept = 0;

    /// Tries to end `op` early; it completes through `done` as always: inside this call, soon, or
    /// in its own time. No other operation completes inside this call.
    virtual void abort(io_op& op) noexcept { (void)op; }

    /// True when submit() always completes before it returns: the caller may then pass memory that
    /// lives for the call only.
    [[nodiscard]] virtual bool completes_inline() const noexcept { return false; }

    /// The data of a read in the device's own memory, valid until the caller's turn ends; null
    /// where there is no such thing (then submit() a read). No other reactor changes it, but a
    /// write that is submitted later in the same turn does: take a digest over it when it is sent,
    /// not before.
    [[nodiscard]] virtual const std::byte* read_in_place(std::uint64_t first_block,
                                                         std::uint32_t block_count) noexcept {
        (void)first_block;
        (void)block_count;
        return nullptr;
    }

    /// How the device is, as it last said; nothing where it says nothing.
    [[nodiscard]] virtual std::optional<device_health> health() const noexcept { return {}; }

    /// Operations taken and not completed.
    [[nodiscard]] virtual std::uint32_t outstanding() const noexcept = 0;
};

class device;

/// What a device tells its owner. Called on: control reactor.
class device_listener {
  public:
    /// The device cannot serve any more; operations complete with errors from now on. `reason` is
    /// for people.
    virtual void on_device_lost(device& which, const std::string& reason) noexcept = 0;
    /// It serves again, of itself: its drive came back, or came for the first time.
    virtual void on_device_returned(device& which) noexcept { static_cast<void>(which); }
    /// It could serve again, perhaps without writes that it had acknowledged and no Flush had made
    /// durable. False: it stays lost, with `reason`, until reopen(), by which an operator accepts
    /// that.
    virtual bool on_device_back_without_data(device& which, const std::string& reason) noexcept {
        static_cast<void>(which);
        static_cast<void>(reason);
        return true;
    }
    /// What it stands on had no room for data that was written (`is`), or has again. It serves all
    /// the same.
    virtual void on_device_full(device& which, bool is) noexcept {
        static_cast<void>(which);
        static_cast<void>(is);
    }
    /// geometry().block_count changed.
    virtual void on_device_resized(device& which) noexcept = 0;

  protected:
    ~device_listener() = default;
};

/// Something that stores blocks. Created, opened, resized and destroyed on the control reactor;
/// outlives its channels. Called on: control reactor, unless a method says otherwise.
class device {
  public:
    virtual ~device() = default;

    [[nodiscard]] virtual const char* type() const noexcept = 0;  ///< "ram", "file", …
    /// Called on: any thread. block_count may grow between two calls.
    [[nodiscard]] virtual backend::geometry geometry() const noexcept = 0;
    [[nodiscard]] virtual const device_identity& identity() const noexcept = 0;
    [[nodiscard]] virtual device_state state() const noexcept { return device_state::ready; }

    /// Begins what open(opening::configured) waits for, so that many devices are opened at once.
    virtual void prepare() {}
    /// Once, after the listener is set. A device that cannot be opened is lost, and returns by
    /// itself, when `why` is opening::configured.  Errors: whatever is in the way, else.
    virtual result<void> open(opening why) {
        static_cast<void>(why);
        return {};
    }

    /// state() for people, where there is more to it: "missing", "refused".
    [[nodiscard]] virtual std::string_view condition() const {
        return state() == device_state::ready ? "ready" : "lost";
    }
    /// Why it has been lost from the beginning, for people; empty: unknown.
    [[nodiscard]] virtual std::string trouble() const { return {}; }

    /// See device_listener::on_device_full().
    [[nodiscard]] virtual bool full() const noexcept { return false; }

    /// Opens a channel whose completions run on `r`. Called on: `r` (or before its thread starts).
    /// The channel is destroyed there too, when nothing is outstanding. Errors: no_memory;
    /// not_supported.
    virtual result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) = 0;

    /// Looks again at the size of what is underneath, or sets it (`new_block_count` != 0).
    /// Errors: conflict (it would become smaller, and may not); not_supported; invalid_argument;
    /// no_memory; io_error.
    virtual result<void> resize(std::uint64_t new_block_count,
                                shrinking smaller = shrinking::refused) = 0;

    /// It has acknowledged writes that no Flush has made durable since, and that go with a volatile
    /// cache. Exact while nothing is outstanding; what it was at a loss it stays until the device
    /// serves again.
    [[nodiscard]] virtual bool has_unflushed_writes() const noexcept { return false; }
    /// It is lost, and so are writes that it has acknowledged: waiting for it is of no use.
    [[nodiscard]] virtual bool lost_data() const noexcept { return false; }

    /// Tries to serve again after a loss (a failed fdatasync, for one); whoever asks accepts what
    /// lost_data() says.  Errors: io_error;
    /// not_supported.
    virtual result<void> reopen() {
        return fail(errc::not_supported, "this device cannot be reopened");
    }
    /// reopen(), also when what is there is known to be something else than it was: an operator
    /// has looked at it.
    virtual result<void> accept() { return reopen(); }

    /// An operator's wish: gives up what is underneath, in order, and does not take it again until
    /// attach(). `drain`: operations that are outstanding there end first. Returns before that has
    /// happened.  Errors: not_supported.
    virtual result<void> detach(bool drain) {
        static_cast<void>(drain);
        return fail(errc::not_supported, "only a drive can be detached");
    }
    virtual result<void> attach() {
        return fail(errc::not_supported, "only a drive can be attached");
    }

    /// What an operator should know though nothing is wrong: "O_DIRECT is not possible here: …".
    /// Empty: nothing.
    [[nodiscard]] virtual std::string note() const { return {}; }
    /// note() belongs in the log when the device is made or returns: nothing else says it there.
    [[nodiscard]] virtual bool note_is_news() const noexcept { return false; }
    /// Size and block size are those of the hardware, whatever was configured.
    [[nodiscard]] virtual bool has_hardware_geometry() const noexcept { return false; }

    /// One listener at a time; null removes it.
    virtual void set_listener(device_listener* listener) noexcept = 0;
};

}  // namespace fulmar::backend
