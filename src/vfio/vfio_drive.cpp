// drive_access on the kernel's VFIO. Helper threads. Must never read sysfs attributes of the drive
// once it is open.
#include "bar_guard.hpp"
#include "container.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/vfio/drive_access.hpp>
#include <fulmar/vfio/drives.hpp>

#include <fmt/format.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace fulmar::vfio {

namespace {

constexpr std::size_t least_register_bytes = 0x1000 + 16;  // NVMe: up to the first I/O doorbells
constexpr std::uint16_t gone_16 = 0xffff;

result<unique_fd> make_eventfd() {
    unique_fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) return fail_errno("cannot create an eventfd", errno);
    return fd;
}

class vfio_drive final : public drive_access {
  public:
    explicit vfio_drive(const pci_address& address) : address_(address) {}
    vfio_drive(const vfio_drive&) = delete;
    vfio_drive& operator=(const vfio_drive&) = delete;
    ~vfio_drive() override;

    result<void> open(std::uint32_t vectors) override;
    result<std::uint64_t> map(std::span<std::byte> memory) override {
        return container_->map(memory);
    }
    mmio_window registers() const noexcept override { return {bar_, bar_bytes_}; }
    int interrupt_fd(std::uint32_t vector) const noexcept override {
        return vector < interrupts_.size() ? interrupts_[vector].get() : -1;
    }
    vfio::interrupt_mask interrupt_mask(std::uint32_t vector) const noexcept override {
        return {vector_table_, vector};
    }
    int removal_fd() const noexcept override { return removal_.get(); }
    int error_fd() const noexcept override { return error_.get(); }
    bool silence() noexcept override;
    void cut() noexcept override {
        if (container_) container_->unmap_all();
    }
    void close() noexcept override { device_.reset(); }
    /// The kernel unmaps what is left. Asked to, it may refuse: a drive that was unplugged has left
    /// its container already.
    void dismantle() noexcept override { container_.reset(); }

  private:
    result<void> map_registers();
    result<void> set_interrupts(std::uint32_t wanted);
    void find_vector_table(std::uint32_t vectors) noexcept;
    result<void> watch_irq(std::uint32_t index, unique_fd& fd, std::string_view what);
    result<void> set_bus_master(bool on);
    [[nodiscard]] std::optional<std::uint16_t> read_config16(std::uint32_t offset) noexcept;

    pci_address address_;
    std::optional<container> container_;
    unique_fd device_;
    std::uint64_t config_ = 0;  // where configuration space begins in the descriptor
    std::byte* bar_ = nullptr;
    std::size_t bar_bytes_ = 0;
    std::optional<std::uint32_t> guard_;
    mmio_window vector_table_;
    std::vector<unique_fd> interrupts_;
    unique_fd removal_;
    unique_fd error_;
};

vfio_drive::~vfio_drive() {
    silence();
    close();
    dismantle();
    if (bar_ != nullptr) ::munmap(bar_, bar_bytes_);
}

result<void> vfio_drive::open(std::uint32_t vectors) {
    FULMAR_TRY(auto opened, container::open(address_));
    container_.emplace(std::move(opened));
    FULMAR_TRY(device_, container_->open_device(address_));
    vfio_device_info info{};
    info.argsz = sizeof info;
    if (::ioctl(device_.get(), VFIO_DEVICE_GET_INFO, &info) != 0)
        return fail_errno("the drive does not describe itself", errno);
    if ((info.flags & VFIO_DEVICE_FLAGS_PCI) == 0)
        return fail(errc::not_supported, "this is not a PCI device");
    FULMAR_TRY(error_, make_eventfd());
    FULMAR_TRY(removal_, make_eventfd());
    FULMAR_CHECK(map_registers());
    if (info.num_irqs > VFIO_PCI_REQ_IRQ_INDEX)
        FULMAR_CHECK(watch_irq(VFIO_PCI_REQ_IRQ_INDEX, removal_, "removal requests"));
    if (info.num_irqs > VFIO_PCI_ERR_IRQ_INDEX)
        if (auto watched = watch_irq(VFIO_PCI_ERR_IRQ_INDEX, error_, "bus errors"); !watched)
            log::debug("{}: {}", address_.text(),
                       watched.error().text());  // not every card has AER
    FULMAR_CHECK(set_interrupts(vectors));
    return set_bus_master(true);
}

result<void> vfio_drive::map_registers() {
    vfio_region_info config{};
    config.argsz = sizeof config;
    config.index = VFIO_PCI_CONFIG_REGION_INDEX;
    if (::ioctl(device_.get(), VFIO_DEVICE_GET_REGION_INFO, &config) != 0)
        return fail_errno("the drive has no configuration space", errno);
    config_ = config.offset;
    vfio_region_info bar{};
    bar.argsz = sizeof bar;
    bar.index = VFIO_PCI_BAR0_REGION_INDEX;
    if (::ioctl(device_.get(), VFIO_DEVICE_GET_REGION_INFO, &bar) != 0)
        return fail_errno("the drive has no registers", errno);
    if ((bar.flags & VFIO_REGION_INFO_FLAG_MMAP) == 0 || bar.size < least_register_bytes)
        return fail(errc::not_supported, "the drive's registers cannot be mapped");
    void* const mapped = ::mmap(nullptr, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED,
                                device_.get(), static_cast<off_t>(bar.offset));
    if (mapped == MAP_FAILED) return fail_errno("cannot map the drive's registers", errno);
    bar_ = static_cast<std::byte*>(mapped);
    bar_bytes_ = bar.size;
    FULMAR_TRY(guard_, bar_guard::watch(bar_, bar_bytes_, error_.get()));
    return {};
}

result<void> vfio_drive::set_interrupts(std::uint32_t wanted) {
    vfio_irq_info info{};
    info.argsz = sizeof info;
    info.index = VFIO_PCI_MSIX_IRQ_INDEX;
    if (::ioctl(device_.get(), VFIO_DEVICE_GET_IRQ_INFO, &info) != 0) info.count = 0;
    const std::uint32_t count = std::min(wanted, info.count);
    if (count == 0) return {};
    std::vector<unique_fd> fds;
    for (std::uint32_t i = 0; i < count; ++i) {
        FULMAR_TRY(auto fd, make_eventfd());
        fds.push_back(std::move(fd));
    }
    std::vector<std::byte> buffer(sizeof(vfio_irq_set) + count * sizeof(std::int32_t));
    vfio_irq_set head{};
    head.argsz = static_cast<std::uint32_t>(buffer.size());
    head.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
    head.index = VFIO_PCI_MSIX_IRQ_INDEX;
    head.count = count;
    std::memcpy(buffer.data(), &head, sizeof head);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::int32_t fd = fds[i].get();
        std::memcpy(buffer.data() + sizeof head + i * sizeof fd, &fd, sizeof fd);
    }
    if (::ioctl(device_.get(), VFIO_DEVICE_SET_IRQS, buffer.data()) != 0)
        return fail_errno("the drive's interrupts cannot be used", errno);
    interrupts_ = std::move(fds);
    find_vector_table(count);
    return {};
}

// Where the capability says, if that is among the mapped registers; else nothing can be masked, and
// interrupts come while the reactors poll.
void vfio_drive::find_vector_table(std::uint32_t vectors) noexcept {
    constexpr int most_capabilities = 48;
    std::uint32_t at = read_config16(PCI_CAPABILITY_LIST).value_or(0) & 0xfcu;
    for (int i = 0; i < most_capabilities && at != 0; ++i) {
        const auto head = read_config16(at);
        if (!head || *head == gone_16) return;
        if ((*head & 0xffu) != PCI_CAP_ID_MSIX) {
            at = *head >> 8 & 0xfcu;
            continue;
        }
        const auto low = read_config16(at + PCI_MSIX_TABLE);
        const auto high = read_config16(at + PCI_MSIX_TABLE + 2);
        if (!low || !high) return;
        const std::uint32_t table = std::uint32_t{*low} | std::uint32_t{*high} << 16;
        const std::uint32_t offset = table & PCI_MSIX_TABLE_OFFSET;
        const std::size_t bytes = std::size_t{vectors} * vfio::interrupt_mask::entry_bytes;
        if ((table & PCI_MSIX_TABLE_BIR) == 0 && offset <= bar_bytes_ &&
            bytes <= bar_bytes_ - offset)
            vector_table_ = {bar_ + offset, bytes};
        return;
    }
}

result<void> vfio_drive::watch_irq(std::uint32_t index, unique_fd& fd, std::string_view what) {
    std::array<std::byte, sizeof(vfio_irq_set) + sizeof(std::int32_t)> buffer{};
    vfio_irq_set head{};
    head.argsz = buffer.size();
    head.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
    head.index = index;
    head.count = 1;
    std::memcpy(buffer.data(), &head, sizeof head);
    const std::int32_t number = fd.get();
    std::memcpy(buffer.data() + sizeof head, &number, sizeof number);
    if (::ioctl(device_.get(), VFIO_DEVICE_SET_IRQS, buffer.data()) != 0)
        return fail_errno(fmt::format("the kernel does not tell of {}", what), errno);
    return {};
}

std::optional<std::uint16_t> vfio_drive::read_config16(std::uint32_t offset) noexcept {
    std::uint16_t value = 0;
    if (::pread(device_.get(), &value, sizeof value, static_cast<off_t>(config_ + offset)) !=
        sizeof value)
        return std::nullopt;
    return value;
}

result<void> vfio_drive::set_bus_master(bool on) {
    const auto gone = [this] {
        return fail(errc::io_error, fmt::format("drive {} does not answer in configuration space",
                                                address_.text()));
    };
    const auto now = read_config16(PCI_COMMAND);
    if (!now || *now == gone_16) return gone();
    const auto wanted = static_cast<std::uint16_t>(
        on ? *now | PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY : *now & ~PCI_COMMAND_MASTER);
    if (::pwrite(device_.get(), &wanted, sizeof wanted,
                 static_cast<off_t>(config_ + PCI_COMMAND)) != sizeof wanted)
        return gone();
    // Reading it back also waits for what the drive had on the way to memory.
    const auto after = read_config16(PCI_COMMAND);
    if (!after || *after == gone_16 || ((*after & PCI_COMMAND_MASTER) != 0) != on) return gone();
    return {};
}

bool vfio_drive::silence() noexcept {
    if (!device_) return true;
    const bool confirmed = set_bus_master(false).has_value();
    if (guard_) {
        if (!bar_guard::replace(bar_, bar_bytes_))
            log::error("{}: its registers stay mapped", address_.text());
        bar_guard::unwatch(*guard_);  // last: until then an access may raise SIGBUS
        guard_.reset();
    }
    return confirmed;
}

class vfio_provider final : public drive_access_provider {
  public:
    std::unique_ptr<drive_access> make(const pci_address& address) override {
        return std::make_unique<vfio_drive>(address);
    }
    bool present(const pci_address& address) noexcept override {
        return ::access(fmt::format("/sys/bus/pci/devices/{}", address.text()).c_str(), F_OK) == 0;
    }
    result<void> take(const pci_address& address) override {
        return bind_drive(address, "vfio-pci");
    }
};

}  // namespace

std::unique_ptr<drive_access_provider> make_vfio_provider() {
    return std::make_unique<vfio_provider>();
}

}  // namespace fulmar::vfio
