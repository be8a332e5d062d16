// EAL comes up once per process: these tests share one, and what needs a fresh process forks.
#include "hugepage_probe.hpp"

#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/environment.hpp>

#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace fulmar::mem {
namespace {

environment& eal() {
    static environment* const up = environment::bring_up({.memory_bytes = 16u << 20}).value();
    return *up;
}

TEST(environment, comes_up_once_and_says_what_it_chose) {
    environment& e = eal();
    EXPECT_FALSE(e.why().empty());
    EXPECT_FALSE(environment::retry_without_hugepages());
    auto again = environment::bring_up({.memory_bytes = 1});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, errc::bad_state);
}

TEST(environment, leaves_the_thread_on_all_its_cpus) {
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    eal();
    sched_getaffinity(0, sizeof after, &after);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(environment, gives_zeroed_aligned_memory) {
    auto region = eal().memory().allocate(1 << 20, 4096).value();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region.data()) % 4096, 0u);
    EXPECT_EQ(region.data()[0], std::byte{0});
    EXPECT_EQ(region.data()[region.size() - 1], std::byte{0});
    std::memset(region.data(), 0xff, region.size());
    dma_region moved = std::move(region);
    EXPECT_FALSE(region);
    EXPECT_EQ(moved.size(), std::size_t{1} << 20);
}

TEST(environment, says_when_memory_is_out) {
    auto region = eal().memory().allocate(std::size_t{1} << 42);
    ASSERT_FALSE(region);
    EXPECT_EQ(region.error().code, errc::no_memory);
}

TEST(environment, serves_a_pool) {
    auto pool = buffer_pool::create(eal().memory(), {.bytes = 8u << 20}).value();
    buffer_credit credit;
    pool->open(credit, 65);
    buffer_chain chain = pool->take(credit, 64);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(chain.data()) % 4096, 0u);
    chain.release();
    pool->close(credit);
}

TEST(environment, registers_threads) {
    eal();
    bool registered = false;
    std::jthread([&registered] {
        registered = environment::register_thread();
        environment::unregister_thread();
    }).join();
    EXPECT_TRUE(registered);
}

TEST(hugepage_probe, believes_only_what_it_mapped) {
    const auto dir =
        std::filesystem::temp_directory_path() / ("fulmar-probe-" + std::to_string(getpid()));
    std::filesystem::create_directories(dir / "hugepages-2048kB");
    const auto answer_with = [&](const char* free) {
        std::ofstream(dir / "hugepages-2048kB" / "free_hugepages") << free;
        return probe_hugepages(std::size_t{1} << 40, dir.string());
    };
    EXPECT_FALSE(answer_with("0").usable);
    EXPECT_FALSE(answer_with("17").usable);
    EXPECT_NE(answer_with("17").why.find("17"), std::string::npos);
    EXPECT_FALSE(answer_with("99999999").usable);  // sysfs promises, the kernel refuses
    EXPECT_FALSE(probe_hugepages(1, "/nonexistent").usable);
    std::filesystem::remove_all(dir);
}

TEST(heap_memory, honours_large_alignments) {
    heap_memory heap;
    for (std::size_t alignment : {std::size_t{64}, std::size_t{4096}, std::size_t{2} << 20}) {
        auto region = heap.allocate(100'000, alignment).value();
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region.data()) % alignment, 0u);
        region.data()[99'999] = std::byte{1};
    }
}

}  // namespace
}  // namespace fulmar::mem
