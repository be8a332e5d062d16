// A device that is lost from the beginning and stays so. Called on: as of backend::device. Must
// never: complete an operation with success.
#include <fulmar/backend/absent_device.hpp>

#include <algorithm>

namespace fulmar::backend {

namespace {

constexpr const char* not_there =
    "what is configured is broken: see the broken objects of the health";

class absent_channel final : public io_channel {
  public:
    void submit(io_op& op) noexcept override {
        op.done(op, nvme::sc::namespace_not_ready.no_retry());
    }
    [[nodiscard]] bool completes_inline() const noexcept override { return true; }
    [[nodiscard]] std::uint32_t outstanding() const noexcept override { return 0; }
};

class absent_device final : public device {
  public:
    explicit absent_device(const absent_device_options& options) noexcept
        : block_bytes_(options.block_bytes),
          blocks_(std::max<std::uint64_t>(options.size_bytes / options.block_bytes, 1)) {}
    [[nodiscard]] const char* type() const noexcept override { return "absent"; }
    [[nodiscard]] backend::geometry geometry() const noexcept override {
        return {.block_bytes = block_bytes_, .block_count = blocks_};
    }
    [[nodiscard]] const device_identity& identity() const noexcept override { return identity_; }
    [[nodiscard]] device_state state() const noexcept override { return device_state::lost; }
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor&) override {
        return std::make_unique<absent_channel>();
    }
    result<void> resize(std::uint64_t, shrinking) override {
        return fail(errc::bad_state, not_there);
    }
    result<void> reopen() override { return fail(errc::bad_state, not_there); }
    [[nodiscard]] std::string note() const override { return not_there; }
    [[nodiscard]] bool note_is_news() const noexcept override { return true; }
    void set_listener(device_listener*) noexcept override {}

  private:
    std::uint32_t block_bytes_;
    std::uint64_t blocks_;
    device_identity identity_;
};

}  // namespace

std::unique_ptr<device> make_absent_device(const absent_device_options& options) {
    return std::make_unique<absent_device>(options);
}

}  // namespace fulmar::backend
