#include "host.hpp"

#include "disk.hpp"
#include "world.hpp"

#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/registers.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace fulmar::sim {

queue::queue(world& w, identity who) : world_(w), who_(std::move(who)) {
    link_user& events = *this;
    connection_ = open_link(w, events, who_);
}

queue::~queue() { cut(); }

command_ref queue::submit(nvme::sqe sqe, std::span<const std::byte> data, bool in_capsule,
                          std::uint32_t answer_bytes, std::uint64_t tag, std::uint32_t blocks) {
    auto c = std::make_shared<command>();
    while (open_.contains(next_cid_))
        next_cid_ = static_cast<std::uint16_t>((next_cid_ + 1) % 0xfff0);
    sqe.cid = next_cid_;
    const std::uint16_t cid = next_cid_;
    next_cid_ = static_cast<std::uint16_t>((next_cid_ + 1) % 0xfff0);
    c->sqe = sqe;
    c->tag = tag;
    c->blocks = blocks;
    c->sent = world_.now_step();
    if (closed_) {
        c->done = true;
        return c;
    }
    world_.judge().sent(connection_->number(), cid, c->sent, tag);
    // Over TCP nobody sees when the target takes it in.
    if (who_.tcp) world_.judge().arrived(connection_->number(), cid, never);
    open_.emplace(cid, c);
    connection_->submit(sqe, data, in_capsule, answer_bytes);
    return c;
}

void queue::cut() {
    if (closed_) return;
    connection_->cut();
    end_all();
}

std::size_t queue::owed() const {
    constexpr auto event = static_cast<std::uint8_t>(nvme::admin_opcode::async_event_request);
    return static_cast<std::size_t>(std::count_if(open_.begin(), open_.end(), [&](const auto& o) {
        return qid_ != 0 || o.second->sqe.opcode != event;
    }));
}

std::vector<std::uint16_t> queue::outstanding_cids() const {
    std::vector<std::uint16_t> all;
    for (const auto& [cid, c] : open_) all.push_back(cid);
    return all;
}

void queue::on_answer(const nvme::cqe& answer, std::span<const std::byte> data) noexcept {
    const std::uint16_t cid = answer.cid.value();
    world_.carried(sizeof answer + data.size());
    world_.judge().answered(connection_->number(), cid, world_.now_step());
    const auto at = open_.find(cid);
    if (at == open_.end()) return;
    const command_ref c = at->second;
    open_.erase(at);
    c->done = c->answered = true;
    c->status = nvme::status::from_field(answer.status_field.value());
    c->dw0 = answer.dw0.value();
    c->dw1 = answer.dw1.value();
    c->data.assign(data.begin(), data.end());
    world_.note("c{} q{} cid {} op {:02x} -> {}", connection_->number(), qid_, cid, c->sqe.opcode,
                nvme::describe(c->status));
    const bool succeeded = nvme::is_success(c->status);
    if (c->tag != 0) world_.judge().write_answered(c->tag, succeeded, world_.now_step());
    if (qid_ != 0 && c->sqe.opcode == static_cast<std::uint8_t>(nvme::io_opcode::flush))
        world_.judge().flush_answered(who_.subsystem, c->sqe.nsid.value(), succeeded, c->sent);
    if (c->blocks != 0 && succeeded) check_read(*c, cid);
    if (c->then) c->then(*c);
}

void queue::check_read(const command& c, std::uint16_t cid) {
    if (c.data.size() != std::size_t{c.blocks} * block_bytes)
        return world_.judge().complain(fmt::format("connection {} CID {}: {} bytes for {} blocks",
                                                   connection_->number(), cid, c.data.size(),
                                                   c.blocks));
    const std::uint64_t first = nvme::decode_block_range(c.sqe).slba;
    for (std::uint32_t i = 0; i < c.blocks; ++i)
        world_.judge().read_answered(connection_->number(), cid, who_.subsystem, c.sqe.nsid.value(),
                                     first + i, read_stamp(c.data.data() + i * block_bytes), c.sent,
                                     world_.now_step());
}

void queue::on_closed() noexcept {
    world_.note("c{} q{} closed", connection_->number(), qid_);
    end_all();
}

void queue::end_all() {
    closed_ = true;
    world_.judge().closed(connection_->number());
    const auto left = std::move(open_);
    open_.clear();
    for (const auto& [cid, c] : left) {
        c->done = true;
        if (c->tag != 0) world_.judge().write_answered(c->tag, false, world_.now_step());
        if (c->then) c->then(*c);
    }
}

// --- fabrics -------------------------------------------------------------------------------------

command_ref queue::connect(std::uint16_t qid, std::uint16_t cntlid, std::uint32_t keep_alive_ms,
                           std::uint16_t entries) {
    auto sqe = nvme::make_fabrics_command<nvme::connect_command>(nvme::fctype::connect, 0);
    sqe.qid = qid;
    sqe.sqsize = static_cast<std::uint16_t>(entries - 1);
    sqe.kato_ms = keep_alive_ms;
    nvme::connect_data data{};
    data.hostid.fill(who_.host_id);
    data.cntlid = cntlid;
    nvme::copy_nul_padded(data.subnqn, who_.subsystem);
    nvme::copy_nul_padded(data.hostnqn, who_.host);
    qid_ = qid;
    command_ref c = submit(nvme::to_sqe(sqe), nvme::wire_bytes(data), true);
    c->then = [this, entries](command& done) {
        if (!done.answered || !nvme::is_success(done.status)) return;
        depth_ = entries;
        cntlid_ = static_cast<std::uint16_t>(done.dw0 & 0xffffu);
    };
    return c;
}

command_ref queue::disconnect() {
    return submit(nvme::to_sqe(
        nvme::make_fabrics_command<nvme::disconnect_command>(nvme::fctype::disconnect, 0)));
}

command_ref queue::property_set(std::uint32_t offset, std::uint64_t value) {
    auto sqe =
        nvme::make_fabrics_command<nvme::property_set_command>(nvme::fctype::property_set, 0);
    sqe.ofst = offset;
    sqe.value = value;
    return submit(nvme::to_sqe(sqe));
}

command_ref queue::property_get(std::uint32_t offset, bool wide) {
    auto sqe =
        nvme::make_fabrics_command<nvme::property_get_command>(nvme::fctype::property_get, 0);
    sqe.ofst = offset;
    sqe.attrib = wide ? std::uint8_t{1} : std::uint8_t{0};
    return submit(nvme::to_sqe(sqe));
}

command_ref queue::enable() {
    return property_set(
        nvme::register_offset::cc,
        nvme::controller_configuration{.en = true, .iosqes = 6, .iocqes = 4}.pack());
}

command_ref queue::disable() {
    return property_set(
        nvme::register_offset::cc,
        nvme::controller_configuration{.en = false, .iosqes = 6, .iocqes = 4}.pack());
}

command_ref queue::shut_down() {
    return property_set(
        nvme::register_offset::cc,
        nvme::controller_configuration{
            .en = true, .shn = nvme::shutdown_notification::normal, .iosqes = 6, .iocqes = 4}
            .pack());
}

// --- admin and I/O -------------------------------------------------------------------------------

command_ref queue::admin(nvme::admin_opcode opcode, std::uint32_t nsid, std::uint32_t answer_bytes,
                         std::uint32_t cdw10, std::uint32_t cdw11) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.nsid = nsid;
    sqe.cdw10 = cdw10;
    sqe.cdw11 = cdw11;
    return submit(sqe, {}, false, answer_bytes);
}

command_ref queue::abort(std::uint16_t sqid, std::uint16_t cid) {
    return admin(nvme::admin_opcode::abort, 0, 0, std::uint32_t{cid} << 16 | sqid);
}

command_ref queue::read(std::uint32_t nsid, std::uint64_t lba, std::uint32_t blocks) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::read);
    sqe.nsid = nsid;
    nvme::encode_block_range(sqe, {.slba = lba, .blocks = blocks});
    return submit(sqe, {}, false, blocks * block_bytes, 0, blocks);
}

command_ref queue::write(std::uint32_t nsid, std::uint64_t lba, std::uint32_t blocks,
                         bool in_capsule, bool fua) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::write);
    sqe.nsid = nsid;
    nvme::encode_block_range(sqe, {.slba = lba, .blocks = blocks, .fua = fua});
    const std::uint64_t tag = world_.judge().new_write(who_.subsystem, nsid, lba, blocks, who_.host,
                                                       world_.now_step(), fua);
    std::vector<std::byte> data(std::size_t{blocks} * block_bytes);
    for (std::uint32_t i = 0; i < blocks; ++i)
        write_stamp(data.data() + std::size_t{i} * block_bytes, {.lba = lba + i, .tag = tag + i});
    return submit(sqe, data, in_capsule, 0, tag);
}

command_ref queue::io(nvme::io_opcode opcode, std::uint32_t nsid, std::uint64_t lba,
                      std::uint32_t blocks) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.nsid = nsid;
    if (opcode != nvme::io_opcode::flush)
        nvme::encode_block_range(sqe, {.slba = lba, .blocks = blocks});
    return submit(sqe);
}

}  // namespace fulmar::sim
