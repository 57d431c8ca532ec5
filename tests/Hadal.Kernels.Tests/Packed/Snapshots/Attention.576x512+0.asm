; Attention.576x512+0: 3963 bytes
    push         rbx
    push         r12
    push         r13
    push         r14
    push         r15
    mov          rsi, [rdi]
    mov          r13, [rdi+0x20]
    mov          r14d, [rdi+0x34]
    mov          rax, [rdi+0x10]
    vmovdqu32    zmm30, [rax]
    vpbroadcastd zmm31, [rdi+0x30]
    vbroadcastss zmm29, [rdi+0x38]
    mov          r15d, 0xff800000
    vpbroadcastd zmm27, r15d
    vmovaps      zmm28, zmm27
    mov          eax, 1
    vpbroadcastd zmm26, eax
L1:
    mov          rax, [rsi]
    vpxord       zmm0, zmm0, zmm0
    vpxord       zmm8, zmm8, zmm8
    mov          rcx, [rsi+8]
    vpxord       zmm1, zmm1, zmm1
    vpxord       zmm9, zmm9, zmm9
    mov          rdx, [rsi+0x10]
    vpxord       zmm2, zmm2, zmm2
    vpxord       zmm10, zmm10, zmm10
    mov          r8, [rsi+0x18]
    vpxord       zmm3, zmm3, zmm3
    vpxord       zmm11, zmm11, zmm11
    mov          r9, [rsi+0x20]
    vpxord       zmm4, zmm4, zmm4
    vpxord       zmm12, zmm12, zmm12
    mov          r10, [rsi+0x28]
    vpxord       zmm5, zmm5, zmm5
    vpxord       zmm13, zmm13, zmm13
    mov          r11, [rsi+0x30]
    vpxord       zmm6, zmm6, zmm6
    vpxord       zmm14, zmm14, zmm14
    mov          rbx, [rsi+0x38]
    vpxord       zmm7, zmm7, zmm7
    vpxord       zmm15, zmm15, zmm15
    mov          r12, [rdi+8]
    xor          r15d, r15d
L2:
    vmovdqu64    zmm16, [r12]
    prefetcht0   [rax+r15+0x2400]
    vdpbf16ps    zmm0, zmm16, [rax+r15]{1to16}
    vdpbf16ps    zmm1, zmm16, [rcx+r15]{1to16}
    vdpbf16ps    zmm2, zmm16, [rdx+r15]{1to16}
    vdpbf16ps    zmm3, zmm16, [r8+r15]{1to16}
    vdpbf16ps    zmm4, zmm16, [r9+r15]{1to16}
    vdpbf16ps    zmm5, zmm16, [r10+r15]{1to16}
    vdpbf16ps    zmm6, zmm16, [r11+r15]{1to16}
    vdpbf16ps    zmm7, zmm16, [rbx+r15]{1to16}
    vmovdqu64    zmm17, [r12+0x40]
    vdpbf16ps    zmm8, zmm17, [rax+r15+4]{1to16}
    vdpbf16ps    zmm9, zmm17, [rcx+r15+4]{1to16}
    vdpbf16ps    zmm10, zmm17, [rdx+r15+4]{1to16}
    vdpbf16ps    zmm11, zmm17, [r8+r15+4]{1to16}
    vdpbf16ps    zmm12, zmm17, [r9+r15+4]{1to16}
    vdpbf16ps    zmm13, zmm17, [r10+r15+4]{1to16}
    vdpbf16ps    zmm14, zmm17, [r11+r15+4]{1to16}
    vdpbf16ps    zmm15, zmm17, [rbx+r15+4]{1to16}
    vmovdqu64    zmm18, [r12+0x80]
    prefetcht0   [rcx+r15+0x2400]
    vdpbf16ps    zmm0, zmm18, [rax+r15+8]{1to16}
    vdpbf16ps    zmm1, zmm18, [rcx+r15+8]{1to16}
    vdpbf16ps    zmm2, zmm18, [rdx+r15+8]{1to16}
    vdpbf16ps    zmm3, zmm18, [r8+r15+8]{1to16}
    vdpbf16ps    zmm4, zmm18, [r9+r15+8]{1to16}
    vdpbf16ps    zmm5, zmm18, [r10+r15+8]{1to16}
    vdpbf16ps    zmm6, zmm18, [r11+r15+8]{1to16}
    vdpbf16ps    zmm7, zmm18, [rbx+r15+8]{1to16}
    vmovdqu64    zmm19, [r12+0xc0]
    vdpbf16ps    zmm8, zmm19, [rax+r15+0xc]{1to16}
    vdpbf16ps    zmm9, zmm19, [rcx+r15+0xc]{1to16}
    vdpbf16ps    zmm10, zmm19, [rdx+r15+0xc]{1to16}
    vdpbf16ps    zmm11, zmm19, [r8+r15+0xc]{1to16}
    vdpbf16ps    zmm12, zmm19, [r9+r15+0xc]{1to16}
    vdpbf16ps    zmm13, zmm19, [r10+r15+0xc]{1to16}
    vdpbf16ps    zmm14, zmm19, [r11+r15+0xc]{1to16}
    vdpbf16ps    zmm15, zmm19, [rbx+r15+0xc]{1to16}
    vmovdqu64    zmm20, [r12+0x100]
    prefetcht0   [rdx+r15+0x2400]
    vdpbf16ps    zmm0, zmm20, [rax+r15+0x10]{1to16}
    vdpbf16ps    zmm1, zmm20, [rcx+r15+0x10]{1to16}
    vdpbf16ps    zmm2, zmm20, [rdx+r15+0x10]{1to16}
    vdpbf16ps    zmm3, zmm20, [r8+r15+0x10]{1to16}
    vdpbf16ps    zmm4, zmm20, [r9+r15+0x10]{1to16}
    vdpbf16ps    zmm5, zmm20, [r10+r15+0x10]{1to16}
    vdpbf16ps    zmm6, zmm20, [r11+r15+0x10]{1to16}
    vdpbf16ps    zmm7, zmm20, [rbx+r15+0x10]{1to16}
    vmovdqu64    zmm21, [r12+0x140]
    vdpbf16ps    zmm8, zmm21, [rax+r15+0x14]{1to16}
    vdpbf16ps    zmm9, zmm21, [rcx+r15+0x14]{1to16}
    vdpbf16ps    zmm10, zmm21, [rdx+r15+0x14]{1to16}
    vdpbf16ps    zmm11, zmm21, [r8+r15+0x14]{1to16}
    vdpbf16ps    zmm12, zmm21, [r9+r15+0x14]{1to16}
    vdpbf16ps    zmm13, zmm21, [r10+r15+0x14]{1to16}
    vdpbf16ps    zmm14, zmm21, [r11+r15+0x14]{1to16}
    vdpbf16ps    zmm15, zmm21, [rbx+r15+0x14]{1to16}
    vmovdqu64    zmm22, [r12+0x180]
    prefetcht0   [r8+r15+0x2400]
    vdpbf16ps    zmm0, zmm22, [rax+r15+0x18]{1to16}
    vdpbf16ps    zmm1, zmm22, [rcx+r15+0x18]{1to16}
    vdpbf16ps    zmm2, zmm22, [rdx+r15+0x18]{1to16}
    vdpbf16ps    zmm3, zmm22, [r8+r15+0x18]{1to16}
    vdpbf16ps    zmm4, zmm22, [r9+r15+0x18]{1to16}
    vdpbf16ps    zmm5, zmm22, [r10+r15+0x18]{1to16}
    vdpbf16ps    zmm6, zmm22, [r11+r15+0x18]{1to16}
    vdpbf16ps    zmm7, zmm22, [rbx+r15+0x18]{1to16}
    vmovdqu64    zmm23, [r12+0x1c0]
    vdpbf16ps    zmm8, zmm23, [rax+r15+0x1c]{1to16}
    vdpbf16ps    zmm9, zmm23, [rcx+r15+0x1c]{1to16}
    vdpbf16ps    zmm10, zmm23, [rdx+r15+0x1c]{1to16}
    vdpbf16ps    zmm11, zmm23, [r8+r15+0x1c]{1to16}
    vdpbf16ps    zmm12, zmm23, [r9+r15+0x1c]{1to16}
    vdpbf16ps    zmm13, zmm23, [r10+r15+0x1c]{1to16}
    vdpbf16ps    zmm14, zmm23, [r11+r15+0x1c]{1to16}
    vdpbf16ps    zmm15, zmm23, [rbx+r15+0x1c]{1to16}
    vmovdqu64    zmm16, [r12+0x200]
    prefetcht0   [r9+r15+0x2400]
    vdpbf16ps    zmm0, zmm16, [rax+r15+0x20]{1to16}
    vdpbf16ps    zmm1, zmm16, [rcx+r15+0x20]{1to16}
    vdpbf16ps    zmm2, zmm16, [rdx+r15+0x20]{1to16}
    vdpbf16ps    zmm3, zmm16, [r8+r15+0x20]{1to16}
    vdpbf16ps    zmm4, zmm16, [r9+r15+0x20]{1to16}
    vdpbf16ps    zmm5, zmm16, [r10+r15+0x20]{1to16}
    vdpbf16ps    zmm6, zmm16, [r11+r15+0x20]{1to16}
    vdpbf16ps    zmm7, zmm16, [rbx+r15+0x20]{1to16}
    vmovdqu64    zmm17, [r12+0x240]
    vdpbf16ps    zmm8, zmm17, [rax+r15+0x24]{1to16}
    vdpbf16ps    zmm9, zmm17, [rcx+r15+0x24]{1to16}
    vdpbf16ps    zmm10, zmm17, [rdx+r15+0x24]{1to16}
    vdpbf16ps    zmm11, zmm17, [r8+r15+0x24]{1to16}
    vdpbf16ps    zmm12, zmm17, [r9+r15+0x24]{1to16}
    vdpbf16ps    zmm13, zmm17, [r10+r15+0x24]{1to16}
    vdpbf16ps    zmm14, zmm17, [r11+r15+0x24]{1to16}
    vdpbf16ps    zmm15, zmm17, [rbx+r15+0x24]{1to16}
    vmovdqu64    zmm18, [r12+0x280]
    prefetcht0   [r10+r15+0x2400]
    vdpbf16ps    zmm0, zmm18, [rax+r15+0x28]{1to16}
    vdpbf16ps    zmm1, zmm18, [rcx+r15+0x28]{1to16}
    vdpbf16ps    zmm2, zmm18, [rdx+r15+0x28]{1to16}
    vdpbf16ps    zmm3, zmm18, [r8+r15+0x28]{1to16}
    vdpbf16ps    zmm4, zmm18, [r9+r15+0x28]{1to16}
    vdpbf16ps    zmm5, zmm18, [r10+r15+0x28]{1to16}
    vdpbf16ps    zmm6, zmm18, [r11+r15+0x28]{1to16}
    vdpbf16ps    zmm7, zmm18, [rbx+r15+0x28]{1to16}
    vmovdqu64    zmm19, [r12+0x2c0]
    vdpbf16ps    zmm8, zmm19, [rax+r15+0x2c]{1to16}
    vdpbf16ps    zmm9, zmm19, [rcx+r15+0x2c]{1to16}
    vdpbf16ps    zmm10, zmm19, [rdx+r15+0x2c]{1to16}
    vdpbf16ps    zmm11, zmm19, [r8+r15+0x2c]{1to16}
    vdpbf16ps    zmm12, zmm19, [r9+r15+0x2c]{1to16}
    vdpbf16ps    zmm13, zmm19, [r10+r15+0x2c]{1to16}
    vdpbf16ps    zmm14, zmm19, [r11+r15+0x2c]{1to16}
    vdpbf16ps    zmm15, zmm19, [rbx+r15+0x2c]{1to16}
    vmovdqu64    zmm20, [r12+0x300]
    prefetcht0   [r11+r15+0x2400]
    vdpbf16ps    zmm0, zmm20, [rax+r15+0x30]{1to16}
    vdpbf16ps    zmm1, zmm20, [rcx+r15+0x30]{1to16}
    vdpbf16ps    zmm2, zmm20, [rdx+r15+0x30]{1to16}
    vdpbf16ps    zmm3, zmm20, [r8+r15+0x30]{1to16}
    vdpbf16ps    zmm4, zmm20, [r9+r15+0x30]{1to16}
    vdpbf16ps    zmm5, zmm20, [r10+r15+0x30]{1to16}
    vdpbf16ps    zmm6, zmm20, [r11+r15+0x30]{1to16}
    vdpbf16ps    zmm7, zmm20, [rbx+r15+0x30]{1to16}
    vmovdqu64    zmm21, [r12+0x340]
    vdpbf16ps    zmm8, zmm21, [rax+r15+0x34]{1to16}
    vdpbf16ps    zmm9, zmm21, [rcx+r15+0x34]{1to16}
    vdpbf16ps    zmm10, zmm21, [rdx+r15+0x34]{1to16}
    vdpbf16ps    zmm11, zmm21, [r8+r15+0x34]{1to16}
    vdpbf16ps    zmm12, zmm21, [r9+r15+0x34]{1to16}
    vdpbf16ps    zmm13, zmm21, [r10+r15+0x34]{1to16}
    vdpbf16ps    zmm14, zmm21, [r11+r15+0x34]{1to16}
    vdpbf16ps    zmm15, zmm21, [rbx+r15+0x34]{1to16}
    vmovdqu64    zmm22, [r12+0x380]
    prefetcht0   [rbx+r15+0x2400]
    vdpbf16ps    zmm0, zmm22, [rax+r15+0x38]{1to16}
    vdpbf16ps    zmm1, zmm22, [rcx+r15+0x38]{1to16}
    vdpbf16ps    zmm2, zmm22, [rdx+r15+0x38]{1to16}
    vdpbf16ps    zmm3, zmm22, [r8+r15+0x38]{1to16}
    vdpbf16ps    zmm4, zmm22, [r9+r15+0x38]{1to16}
    vdpbf16ps    zmm5, zmm22, [r10+r15+0x38]{1to16}
    vdpbf16ps    zmm6, zmm22, [r11+r15+0x38]{1to16}
    vdpbf16ps    zmm7, zmm22, [rbx+r15+0x38]{1to16}
    vmovdqu64    zmm23, [r12+0x3c0]
    vdpbf16ps    zmm8, zmm23, [rax+r15+0x3c]{1to16}
    vdpbf16ps    zmm9, zmm23, [rcx+r15+0x3c]{1to16}
    vdpbf16ps    zmm10, zmm23, [rdx+r15+0x3c]{1to16}
    vdpbf16ps    zmm11, zmm23, [r8+r15+0x3c]{1to16}
    vdpbf16ps    zmm12, zmm23, [r9+r15+0x3c]{1to16}
    vdpbf16ps    zmm13, zmm23, [r10+r15+0x3c]{1to16}
    vdpbf16ps    zmm14, zmm23, [r11+r15+0x3c]{1to16}
    vdpbf16ps    zmm15, zmm23, [rbx+r15+0x3c]{1to16}
    add          r12, 0x400
    add          r15d, 0x40
    cmp          r15d, 0x480
    jb           near L2
    vaddps       zmm0, zmm0, zmm8
    vmulps       zmm0, zmm0, zmm29
    vpcmpnltd    k1, zmm30, zmm31
    vblendmps    zmm0{k1}, zmm27, zmm0
    vmaxps       zmm28, zmm28, zmm0
    vmovups      [r13], zmm0
    vpaddd       zmm31, zmm31, zmm26
    vaddps       zmm1, zmm1, zmm9
    vmulps       zmm1, zmm1, zmm29
    vpcmpnltd    k1, zmm30, zmm31
    vblendmps    zmm1{k1}, zmm27, zmm1
    vmaxps       zmm28, zmm28, zmm1
    vmovups      [r13+0x40], zmm1
    vpaddd       zmm31, zmm31, zmm26
    vaddps       zmm2, zmm2, zmm10
    vmulps       zmm2, zmm2, zmm29
    vpcmpnltd    k1, zmm30, zmm31
    vblendmps    zmm2{k1}, zmm27, zmm2
    vmaxps       zmm28, zmm28, zmm2
    vmovups      [r13+0x80], zmm2
    vpaddd       zmm31, zmm31, zmm26
    vaddps       zmm3, zmm3, zmm11
    vmulps       zmm3, zmm3, zmm29
    vpcmpnltd    k1, zmm30, zmm31
    vblendmps    zmm3{k1}, zmm27, zmm3
    vmaxps       zmm28, zmm28, zmm3
    vmovups      [r13+0xc0], zmm3
    vpaddd       zmm31, zmm31, zmm26
    vaddps       zmm4, zmm4, zmm12
    vmulps       zmm4, zmm4, zmm29
    vpcmpnltd    k1, zmm30, zmm31
    vblendmps    zmm4{k1}, zmm27, zmm4
    vmaxps       zmm28, zmm28, zmm4
    vmovups      [r13+0x100], zmm4
    vpaddd       zmm31, zmm31, zmm26
    vaddps       zmm5, zmm5, zmm13
    vmulps       zmm5, zmm5, zmm29
    vpcmpnltd    k1, zmm30, zmm31
    vblendmps    zmm5{k1}, zmm27, zmm5
    vmaxps       zmm28, zmm28, zmm5
    vmovups      [r13+0x140], zmm5
    vpaddd       zmm31, zmm31, zmm26
    vaddps       zmm6, zmm6, zmm14
    vmulps       zmm6, zmm6, zmm29
    vpcmpnltd    k1, zmm30, zmm31
    vblendmps    zmm6{k1}, zmm27, zmm6
    vmaxps       zmm28, zmm28, zmm6
    vmovups      [r13+0x180], zmm6
    vpaddd       zmm31, zmm31, zmm26
    vaddps       zmm7, zmm7, zmm15
    vmulps       zmm7, zmm7, zmm29
    vpcmpnltd    k1, zmm30, zmm31
    vblendmps    zmm7{k1}, zmm27, zmm7
    vmaxps       zmm28, zmm28, zmm7
    vmovups      [r13+0x1c0], zmm7
    vpaddd       zmm31, zmm31, zmm26
    add          rsi, 0x40
    add          r13, 0x200
    dec          r14d
    jne          near L1
    mov          rax, [rdi+0x18]
    vmovups      zmm0, [rax]
    vmaxps       zmm28, zmm28, zmm0
    vmovups      [rax], zmm28
    mov          r15d, 0xff800000
    vpbroadcastd zmm1, r15d
    vpxord       zmm25, zmm25, zmm25
    vcmpeqps     k1, zmm28, zmm1
    vblendmps    zmm28{k1}, zmm28, zmm25
    mov          r15d, 0xc3160000
    vpbroadcastd zmm26, r15d
    mov          r15d, 0x3f800000
    vpbroadcastd zmm16, r15d
    mov          r15d, 0x3f317218
    vpbroadcastd zmm17, r15d
    mov          r15d, 0x3e75fdf0
    vpbroadcastd zmm18, r15d
    mov          r15d, 0x3d635847
    vpbroadcastd zmm19, r15d
    mov          r15d, 0x3c1d955c
    vpbroadcastd zmm20, r15d
    mov          r15d, 0x3aaec423
    vpbroadcastd zmm21, r15d
    vsubps       zmm0, zmm0, zmm28
    vmaxps       zmm0, zmm26, zmm0
    vrndscaleps  zmm1, zmm0, 0
    vsubps       zmm0, zmm0, zmm1
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm0, zmm20
    vfmadd213ps  zmm24, zmm0, zmm19
    vfmadd213ps  zmm24, zmm0, zmm18
    vfmadd213ps  zmm24, zmm0, zmm17
    vfmadd213ps  zmm24, zmm0, zmm16
    vscalefps    zmm0, zmm24, zmm1
    vmovups      [rax+0x80], zmm0
    vmulps       zmm27, zmm0, [rax+0x40]
    mov          rcx, [rdi+0x20]
    mov          rdx, [rdi+0x28]
    mov          r14d, [rdi+0x34]
L3:
    vmovups      zmm0, [rcx]
    vsubps       zmm0, zmm0, zmm28
    vmaxps       zmm0, zmm26, zmm0
    vrndscaleps  zmm1, zmm0, 0
    vsubps       zmm0, zmm0, zmm1
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm0, zmm20
    vfmadd213ps  zmm24, zmm0, zmm19
    vfmadd213ps  zmm24, zmm0, zmm18
    vfmadd213ps  zmm24, zmm0, zmm17
    vfmadd213ps  zmm24, zmm0, zmm16
    vscalefps    zmm0, zmm24, zmm1
    vaddps       zmm27, zmm27, zmm0
    vmovups      zmm2, [rcx+0x40]
    vsubps       zmm2, zmm2, zmm28
    vmaxps       zmm2, zmm26, zmm2
    vrndscaleps  zmm3, zmm2, 0
    vsubps       zmm2, zmm2, zmm3
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm2, zmm20
    vfmadd213ps  zmm24, zmm2, zmm19
    vfmadd213ps  zmm24, zmm2, zmm18
    vfmadd213ps  zmm24, zmm2, zmm17
    vfmadd213ps  zmm24, zmm2, zmm16
    vscalefps    zmm2, zmm24, zmm3
    vaddps       zmm27, zmm27, zmm2
    vcvtneps2bf16 ymm4, zmm0
    vcvtneps2bf16 ymm5, zmm2
    vpmovzxwd    zmm4, ymm4
    vpmovzxwd    zmm5, ymm5
    vpslld       zmm5, zmm5, 0x10
    vpord        zmm4, zmm4, zmm5
    vmovdqu32    [rdx], zmm4
    vmovups      zmm0, [rcx+0x80]
    vsubps       zmm0, zmm0, zmm28
    vmaxps       zmm0, zmm26, zmm0
    vrndscaleps  zmm1, zmm0, 0
    vsubps       zmm0, zmm0, zmm1
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm0, zmm20
    vfmadd213ps  zmm24, zmm0, zmm19
    vfmadd213ps  zmm24, zmm0, zmm18
    vfmadd213ps  zmm24, zmm0, zmm17
    vfmadd213ps  zmm24, zmm0, zmm16
    vscalefps    zmm0, zmm24, zmm1
    vaddps       zmm27, zmm27, zmm0
    vmovups      zmm2, [rcx+0xc0]
    vsubps       zmm2, zmm2, zmm28
    vmaxps       zmm2, zmm26, zmm2
    vrndscaleps  zmm3, zmm2, 0
    vsubps       zmm2, zmm2, zmm3
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm2, zmm20
    vfmadd213ps  zmm24, zmm2, zmm19
    vfmadd213ps  zmm24, zmm2, zmm18
    vfmadd213ps  zmm24, zmm2, zmm17
    vfmadd213ps  zmm24, zmm2, zmm16
    vscalefps    zmm2, zmm24, zmm3
    vaddps       zmm27, zmm27, zmm2
    vcvtneps2bf16 ymm4, zmm0
    vcvtneps2bf16 ymm5, zmm2
    vpmovzxwd    zmm4, ymm4
    vpmovzxwd    zmm5, ymm5
    vpslld       zmm5, zmm5, 0x10
    vpord        zmm4, zmm4, zmm5
    vmovdqu32    [rdx+0x40], zmm4
    vmovups      zmm0, [rcx+0x100]
    vsubps       zmm0, zmm0, zmm28
    vmaxps       zmm0, zmm26, zmm0
    vrndscaleps  zmm1, zmm0, 0
    vsubps       zmm0, zmm0, zmm1
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm0, zmm20
    vfmadd213ps  zmm24, zmm0, zmm19
    vfmadd213ps  zmm24, zmm0, zmm18
    vfmadd213ps  zmm24, zmm0, zmm17
    vfmadd213ps  zmm24, zmm0, zmm16
    vscalefps    zmm0, zmm24, zmm1
    vaddps       zmm27, zmm27, zmm0
    vmovups      zmm2, [rcx+0x140]
    vsubps       zmm2, zmm2, zmm28
    vmaxps       zmm2, zmm26, zmm2
    vrndscaleps  zmm3, zmm2, 0
    vsubps       zmm2, zmm2, zmm3
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm2, zmm20
    vfmadd213ps  zmm24, zmm2, zmm19
    vfmadd213ps  zmm24, zmm2, zmm18
    vfmadd213ps  zmm24, zmm2, zmm17
    vfmadd213ps  zmm24, zmm2, zmm16
    vscalefps    zmm2, zmm24, zmm3
    vaddps       zmm27, zmm27, zmm2
    vcvtneps2bf16 ymm4, zmm0
    vcvtneps2bf16 ymm5, zmm2
    vpmovzxwd    zmm4, ymm4
    vpmovzxwd    zmm5, ymm5
    vpslld       zmm5, zmm5, 0x10
    vpord        zmm4, zmm4, zmm5
    vmovdqu32    [rdx+0x80], zmm4
    vmovups      zmm0, [rcx+0x180]
    vsubps       zmm0, zmm0, zmm28
    vmaxps       zmm0, zmm26, zmm0
    vrndscaleps  zmm1, zmm0, 0
    vsubps       zmm0, zmm0, zmm1
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm0, zmm20
    vfmadd213ps  zmm24, zmm0, zmm19
    vfmadd213ps  zmm24, zmm0, zmm18
    vfmadd213ps  zmm24, zmm0, zmm17
    vfmadd213ps  zmm24, zmm0, zmm16
    vscalefps    zmm0, zmm24, zmm1
    vaddps       zmm27, zmm27, zmm0
    vmovups      zmm2, [rcx+0x1c0]
    vsubps       zmm2, zmm2, zmm28
    vmaxps       zmm2, zmm26, zmm2
    vrndscaleps  zmm3, zmm2, 0
    vsubps       zmm2, zmm2, zmm3
    vmovaps      zmm24, zmm21
    vfmadd213ps  zmm24, zmm2, zmm20
    vfmadd213ps  zmm24, zmm2, zmm19
    vfmadd213ps  zmm24, zmm2, zmm18
    vfmadd213ps  zmm24, zmm2, zmm17
    vfmadd213ps  zmm24, zmm2, zmm16
    vscalefps    zmm2, zmm24, zmm3
    vaddps       zmm27, zmm27, zmm2
    vcvtneps2bf16 ymm4, zmm0
    vcvtneps2bf16 ymm5, zmm2
    vpmovzxwd    zmm4, ymm4
    vpmovzxwd    zmm5, ymm5
    vpslld       zmm5, zmm5, 0x10
    vpord        zmm4, zmm4, zmm5
    vmovdqu32    [rdx+0xc0], zmm4
    add          rcx, 0x200
    add          rdx, 0x100
    dec          r14d
    jne          near L3
    vmovups      [rax+0x40], zmm27
    mov          r8, [rdi+0x18]
    lea          r9, [r8+0xc0]
    xor          r10d, r10d
L4:
    vmovups      zmm0, [r9]
    vmulps       zmm0, zmm0, [r8+0x80]{1to16}
    vmovups      zmm1, [r9+0x840]
    vmulps       zmm1, zmm1, [r8+0x84]{1to16}
    vmovups      zmm2, [r9+0x1080]
    vmulps       zmm2, zmm2, [r8+0x88]{1to16}
    vmovups      zmm3, [r9+0x18c0]
    vmulps       zmm3, zmm3, [r8+0x8c]{1to16}
    vmovups      zmm4, [r9+0x2100]
    vmulps       zmm4, zmm4, [r8+0x90]{1to16}
    vmovups      zmm5, [r9+0x2940]
    vmulps       zmm5, zmm5, [r8+0x94]{1to16}
    vmovups      zmm6, [r9+0x3180]
    vmulps       zmm6, zmm6, [r8+0x98]{1to16}
    vmovups      zmm7, [r9+0x39c0]
    vmulps       zmm7, zmm7, [r8+0x9c]{1to16}
    vmovups      zmm8, [r9+0x4200]
    vmulps       zmm8, zmm8, [r8+0xa0]{1to16}
    vmovups      zmm9, [r9+0x4a40]
    vmulps       zmm9, zmm9, [r8+0xa4]{1to16}
    vmovups      zmm10, [r9+0x5280]
    vmulps       zmm10, zmm10, [r8+0xa8]{1to16}
    vmovups      zmm11, [r9+0x5ac0]
    vmulps       zmm11, zmm11, [r8+0xac]{1to16}
    vmovups      zmm12, [r9+0x6300]
    vmulps       zmm12, zmm12, [r8+0xb0]{1to16}
    vmovups      zmm13, [r9+0x6b40]
    vmulps       zmm13, zmm13, [r8+0xb4]{1to16}
    vmovups      zmm14, [r9+0x7380]
    vmulps       zmm14, zmm14, [r8+0xb8]{1to16}
    vmovups      zmm15, [r9+0x7bc0]
    vmulps       zmm15, zmm15, [r8+0xbc]{1to16}
    mov          rsi, [rdi]
    mov          rdx, [rdi+0x28]
    mov          r14d, [rdi+0x34]
L5:
    mov          rax, [rsi]
    mov          rcx, [rsi+8]
    vpmovzxwd    zmm16, [rax+r10]
    vpmovzxwd    zmm17, [rcx+r10]
    vpslld       zmm17, zmm17, 0x10
    vpord        zmm16, zmm16, zmm17
    vdpbf16ps    zmm0, zmm16, [rdx]{1to16}
    vdpbf16ps    zmm1, zmm16, [rdx+4]{1to16}
    vdpbf16ps    zmm2, zmm16, [rdx+8]{1to16}
    vdpbf16ps    zmm3, zmm16, [rdx+0xc]{1to16}
    vdpbf16ps    zmm4, zmm16, [rdx+0x10]{1to16}
    vdpbf16ps    zmm5, zmm16, [rdx+0x14]{1to16}
    vdpbf16ps    zmm6, zmm16, [rdx+0x18]{1to16}
    vdpbf16ps    zmm7, zmm16, [rdx+0x1c]{1to16}
    vdpbf16ps    zmm8, zmm16, [rdx+0x20]{1to16}
    vdpbf16ps    zmm9, zmm16, [rdx+0x24]{1to16}
    vdpbf16ps    zmm10, zmm16, [rdx+0x28]{1to16}
    vdpbf16ps    zmm11, zmm16, [rdx+0x2c]{1to16}
    vdpbf16ps    zmm12, zmm16, [rdx+0x30]{1to16}
    vdpbf16ps    zmm13, zmm16, [rdx+0x34]{1to16}
    vdpbf16ps    zmm14, zmm16, [rdx+0x38]{1to16}
    vdpbf16ps    zmm15, zmm16, [rdx+0x3c]{1to16}
    mov          rax, [rsi+0x10]
    mov          rcx, [rsi+0x18]
    vpmovzxwd    zmm18, [rax+r10]
    vpmovzxwd    zmm19, [rcx+r10]
    vpslld       zmm19, zmm19, 0x10
    vpord        zmm18, zmm18, zmm19
    vdpbf16ps    zmm0, zmm18, [rdx+0x40]{1to16}
    vdpbf16ps    zmm1, zmm18, [rdx+0x44]{1to16}
    vdpbf16ps    zmm2, zmm18, [rdx+0x48]{1to16}
    vdpbf16ps    zmm3, zmm18, [rdx+0x4c]{1to16}
    vdpbf16ps    zmm4, zmm18, [rdx+0x50]{1to16}
    vdpbf16ps    zmm5, zmm18, [rdx+0x54]{1to16}
    vdpbf16ps    zmm6, zmm18, [rdx+0x58]{1to16}
    vdpbf16ps    zmm7, zmm18, [rdx+0x5c]{1to16}
    vdpbf16ps    zmm8, zmm18, [rdx+0x60]{1to16}
    vdpbf16ps    zmm9, zmm18, [rdx+0x64]{1to16}
    vdpbf16ps    zmm10, zmm18, [rdx+0x68]{1to16}
    vdpbf16ps    zmm11, zmm18, [rdx+0x6c]{1to16}
    vdpbf16ps    zmm12, zmm18, [rdx+0x70]{1to16}
    vdpbf16ps    zmm13, zmm18, [rdx+0x74]{1to16}
    vdpbf16ps    zmm14, zmm18, [rdx+0x78]{1to16}
    vdpbf16ps    zmm15, zmm18, [rdx+0x7c]{1to16}
    mov          rax, [rsi+0x20]
    mov          rcx, [rsi+0x28]
    vpmovzxwd    zmm20, [rax+r10]
    vpmovzxwd    zmm21, [rcx+r10]
    vpslld       zmm21, zmm21, 0x10
    vpord        zmm20, zmm20, zmm21
    vdpbf16ps    zmm0, zmm20, [rdx+0x80]{1to16}
    vdpbf16ps    zmm1, zmm20, [rdx+0x84]{1to16}
    vdpbf16ps    zmm2, zmm20, [rdx+0x88]{1to16}
    vdpbf16ps    zmm3, zmm20, [rdx+0x8c]{1to16}
    vdpbf16ps    zmm4, zmm20, [rdx+0x90]{1to16}
    vdpbf16ps    zmm5, zmm20, [rdx+0x94]{1to16}
    vdpbf16ps    zmm6, zmm20, [rdx+0x98]{1to16}
    vdpbf16ps    zmm7, zmm20, [rdx+0x9c]{1to16}
    vdpbf16ps    zmm8, zmm20, [rdx+0xa0]{1to16}
    vdpbf16ps    zmm9, zmm20, [rdx+0xa4]{1to16}
    vdpbf16ps    zmm10, zmm20, [rdx+0xa8]{1to16}
    vdpbf16ps    zmm11, zmm20, [rdx+0xac]{1to16}
    vdpbf16ps    zmm12, zmm20, [rdx+0xb0]{1to16}
    vdpbf16ps    zmm13, zmm20, [rdx+0xb4]{1to16}
    vdpbf16ps    zmm14, zmm20, [rdx+0xb8]{1to16}
    vdpbf16ps    zmm15, zmm20, [rdx+0xbc]{1to16}
    mov          rax, [rsi+0x30]
    mov          rcx, [rsi+0x38]
    vpmovzxwd    zmm22, [rax+r10]
    vpmovzxwd    zmm23, [rcx+r10]
    vpslld       zmm23, zmm23, 0x10
    vpord        zmm22, zmm22, zmm23
    vdpbf16ps    zmm0, zmm22, [rdx+0xc0]{1to16}
    vdpbf16ps    zmm1, zmm22, [rdx+0xc4]{1to16}
    vdpbf16ps    zmm2, zmm22, [rdx+0xc8]{1to16}
    vdpbf16ps    zmm3, zmm22, [rdx+0xcc]{1to16}
    vdpbf16ps    zmm4, zmm22, [rdx+0xd0]{1to16}
    vdpbf16ps    zmm5, zmm22, [rdx+0xd4]{1to16}
    vdpbf16ps    zmm6, zmm22, [rdx+0xd8]{1to16}
    vdpbf16ps    zmm7, zmm22, [rdx+0xdc]{1to16}
    vdpbf16ps    zmm8, zmm22, [rdx+0xe0]{1to16}
    vdpbf16ps    zmm9, zmm22, [rdx+0xe4]{1to16}
    vdpbf16ps    zmm10, zmm22, [rdx+0xe8]{1to16}
    vdpbf16ps    zmm11, zmm22, [rdx+0xec]{1to16}
    vdpbf16ps    zmm12, zmm22, [rdx+0xf0]{1to16}
    vdpbf16ps    zmm13, zmm22, [rdx+0xf4]{1to16}
    vdpbf16ps    zmm14, zmm22, [rdx+0xf8]{1to16}
    vdpbf16ps    zmm15, zmm22, [rdx+0xfc]{1to16}
    add          rsi, 0x40
    add          rdx, 0x100
    dec          r14d
    jne          near L5
    vmovups      [r9], zmm0
    vmovups      [r9+0x840], zmm1
    vmovups      [r9+0x1080], zmm2
    vmovups      [r9+0x18c0], zmm3
    vmovups      [r9+0x2100], zmm4
    vmovups      [r9+0x2940], zmm5
    vmovups      [r9+0x3180], zmm6
    vmovups      [r9+0x39c0], zmm7
    vmovups      [r9+0x4200], zmm8
    vmovups      [r9+0x4a40], zmm9
    vmovups      [r9+0x5280], zmm10
    vmovups      [r9+0x5ac0], zmm11
    vmovups      [r9+0x6300], zmm12
    vmovups      [r9+0x6b40], zmm13
    vmovups      [r9+0x7380], zmm14
    vmovups      [r9+0x7bc0], zmm15
    add          r9, 0x40
    add          r10, 0x20
    cmp          r10d, 0x400
    jb           near L4
    vzeroupper
    pop          r15
    pop          r14
    pop          r13
    pop          r12
    pop          rbx
    ret
