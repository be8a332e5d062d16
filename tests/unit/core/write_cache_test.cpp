// What feature 06h does to writes, whatever the backend.
#include "small_world.hpp"

#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace fulmar::core::test {
namespace {

/// Everything succeeds, and what was asked is remembered.
class recording_device final : public backend::device {
  public:
    struct record {
        backend::io_kind kind;
        bool fua;
    };
    explicit recording_device(std::vector<record>& into) : into_(into) {}

    [[nodiscard]] const char* type() const noexcept override { return "recording"; }
    [[nodiscard]] backend::geometry geometry() const noexcept override {
        return {.block_count = 2048, .volatile_write_cache = true};
    }
    [[nodiscard]] const backend::device_identity& identity() const noexcept override { return id_; }
    result<std::unique_ptr<backend::io_channel>> open_channel(engine::reactor&) override {
        return std::make_unique<channel>(into_);
    }
    result<void> resize(std::uint64_t, backend::shrinking) override {
        return fail(errc::not_supported, "fixed");
    }
    void set_listener(backend::device_listener*) noexcept override {}

  private:
    struct channel final : backend::io_channel {
        explicit channel(std::vector<record>& to) : into(to) {}
        void submit(backend::io_op& op) noexcept override {
            into.push_back({op.kind, op.fua});
            op.done(op, nvme::sc::success);
        }
        [[nodiscard]] bool completes_inline() const noexcept override { return true; }
        [[nodiscard]] std::uint32_t outstanding() const noexcept override { return 0; }
        std::vector<record>& into;
    };

    std::vector<record>& into_;
    backend::device_identity id_;
};

class write_cache : public testing::Test {
  protected:
    nvme::status io(nvme::io_opcode opcode, bool fua = false) {
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(opcode);
        command.nsid = 1u;
        nvme::encode_block_range(command, {.fua = fua});
        const std::array<std::byte, 512> block{};
        const bool carries = opcode == nvme::io_opcode::write;
        return world
            .call(queue, command, 0,
                  carries ? std::span<const std::byte>(block) : std::span<const std::byte>())
            .status;
    }
    void enable(bool on) {
        nvme::sqe command = admin(nvme::admin_opcode::set_features);
        nvme::encode_set_features(command, {.fid = 0x06, .cdw11 = on ? 1u : 0u});
        EXPECT_TRUE(nvme::is_success(world.call(admin_queue, command).status));
    }

    std::vector<recording_device::record> seen;
    small_world world{[this](const device_spec&) -> result<std::unique_ptr<backend::device>> {
        return std::make_unique<recording_device>(seen);
    }};
    host_queue& admin_queue = world.connect_admin();
    host_queue& queue = world.new_queue();
};

TEST_F(write_cache, switched_off_makes_every_write_durable) {
    ASSERT_TRUE(
        nvme::is_success(world.connect(queue, subsystem_nqn, 1, world.controller_number()).status));
    const auto last_fua = [&](nvme::io_opcode opcode, bool fua = false) {
        EXPECT_TRUE(nvme::is_success(io(opcode, fua)));
        return seen.back().fua;
    };
    EXPECT_FALSE(last_fua(nvme::io_opcode::write));
    EXPECT_TRUE(last_fua(nvme::io_opcode::write, true));
    enable(false);
    EXPECT_TRUE(last_fua(nvme::io_opcode::write));
    EXPECT_TRUE(last_fua(nvme::io_opcode::write_zeroes));
    enable(true);
    EXPECT_FALSE(last_fua(nvme::io_opcode::write));
    EXPECT_FALSE(last_fua(nvme::io_opcode::write_zeroes));
}

}  // namespace
}  // namespace fulmar::core::test
