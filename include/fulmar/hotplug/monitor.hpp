// Listens to the kernel's uevents about PCI functions, on the control reactor. Late by nature: a
// removal is told here only after the drive's descriptor is closed; the device-request eventfd (the
// driver's) comes first.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/vfio/pci_address.hpp>

#include <cstdint>
#include <memory>
#include <span>

namespace fulmar::hotplug {

/// Called on: control reactor.
class listener {
  public:
    /// A function was found on the bus, or was bound to vfio-pci: it can be opened.
    virtual void on_arrival(const vfio::pci_address& where) noexcept = 0;
    virtual void on_removal(const vfio::pci_address& where) noexcept = 0;
    /// Messages were lost: look for yourself.
    virtual void on_overrun() noexcept = 0;

  protected:
    ~listener() = default;
};

struct monitor_counters {
    std::uint64_t messages = 0;  ///< about PCI functions
    std::uint64_t overruns = 0;
    std::uint64_t refused = 0;  ///< not from the kernel, or not readable
};

/// Called on: control reactor, all methods.
class monitor {
  public:
    /// Errors: permission_denied; no_memory.
    static result<std::unique_ptr<monitor>> listen(engine::reactor& control, listener& to);
    ~monitor();
    monitor(const monitor&) = delete;
    monitor& operator=(const monitor&) = delete;

    [[nodiscard]] const monitor_counters& counters() const noexcept { return counters_; }
    /// What read_all() does with one message; `from_kernel` as its sender says.
    void on_message(std::span<const char> message, bool from_kernel) noexcept;

  private:
    monitor(engine::reactor& control, listener& to, unique_fd socket);
    void read_all() noexcept;

    engine::reactor& control_;
    listener& listener_;
    unique_fd socket_;
    monitor_counters counters_;
    engine::member_watch<&monitor::read_all> watch_{*this};
};

}  // namespace fulmar::hotplug
